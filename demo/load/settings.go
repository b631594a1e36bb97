package load

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/tailgate-otel/tailgate/demo/fault"
	"github.com/tailgate-otel/tailgate/demo/shop"
)

// Settings describe a run.
type Settings struct {
	// Gateway is the base URL of the shop.
	Gateway string
	// AllowRemote permits a gateway that is not on this machine.
	AllowRemote bool
	// Rate is the number of requests per second.
	Rate float64
	// Duration and Requests bound the run, whichever comes first; 0 means not by this one, and one must be set.
	Duration time.Duration
	Requests int
	// Concurrency is the number of requests that may be in flight.
	Concurrency int
	// Seed decides what the customers do: equal seeds, equal journeys.
	Seed uint64
	// Timeout of one request.
	Timeout time.Duration
	// Fault is sent as X-Demo-Fault with every FaultEvery-th request that checks out; all other requests are then sent
	// with "none", so that nothing else goes wrong.
	Fault      string
	FaultEvery int
	// Log receives progress, every ten seconds.
	Log *slog.Logger
}

// Check reports everything that is wrong with the settings, each by the name of its flag.
func (s *Settings) Check() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	u, err := url.Parse(s.Gateway)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		bad("--gateway %q: must be a URL like http://127.0.0.1:8080", s.Gateway)
	case !s.AllowRemote && !isLoopback(u.Hostname()):
		bad("--gateway %q: is not on this machine; a load test of somebody else's is an attack: give --allow-remote if it is yours", s.Gateway)
	}
	if !(s.Rate > 0 && s.Rate <= 100_000) {
		bad("--rate %v: must be above 0 and at most 100000 requests per second", s.Rate)
	}
	if s.Duration < 0 || s.Requests < 0 {
		bad("--duration and --requests must not be negative")
	}
	if s.Duration == 0 && s.Requests == 0 {
		bad("give --duration or --requests: a run is always bounded")
	}
	if s.Concurrency < 1 || s.Concurrency > 10_000 {
		bad("--concurrency %d: must be between 1 and 10000", s.Concurrency)
	}
	if s.Timeout <= 0 {
		bad("--timeout %s: must be positive", s.Timeout)
	}
	if (s.Fault == "") != (s.FaultEvery == 0) || s.FaultEvery < 0 {
		bad("--fault and --fault-every belong together: --fault payment=error --fault-every 10")
	}
	if s.Fault != "" {
		if _, err := fault.ParseDirectives(s.Fault, shop.Routes()); err != nil {
			bad("--fault: %w", err)
		}
	}
	return errors.Join(errs...)
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
