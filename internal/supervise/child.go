package supervise

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

const (
	// defaultReadyTimeout covers a collector that replays a large write-ahead log on a busy machine. Shorter ones
	// failed nothing but slow laptops; much longer ones hide a child that will never come up.
	defaultReadyTimeout = 60 * time.Second
	// defaultStopTimeout is longer than the 5 s that the OTel SDK needs to give up on its last export.
	defaultStopTimeout = 10 * time.Second
	// readyInterval is the pause between two probes; a probe on loopback costs some 100 µs.
	readyInterval = 50 * time.Millisecond
	probeTimeout  = time.Second
)

// Child describes one process. The zero value of everything but Name and Path is usable.
type Child struct {
	// Name is the prefix of its lines and what errors call it; unique among the running children of a group.
	Name string
	// Path is the executable: a path, or a bare name to be looked up in PATH.
	Path string
	// MakeTarget, when set, is named by the error for a missing Path: "run `make build`".
	MakeTarget string
	Args       []string
	// Env is added to the environment of the supervisor; later entries win.
	Env []string
	Dir string
	// Ready reports whether the child can do its work; it is called every 50 ms until it returns nil, each time with a
	// context of one second. ReadyURL is the short form for GET answering 2xx. With neither the child is ready as soon as
	// it runs; with both, both must be satisfied.
	Ready    func(ctx context.Context) error
	ReadyURL string
	// ReadyTimeout bounds the wait for readiness. Default 60s.
	ReadyTimeout time.Duration
	// Ports are checked to be free before anything is started.
	Ports []Port
	// StopTimeout is how long the child may take after SIGTERM before it is killed. Default 10s.
	StopTimeout time.Duration
	// MayExit says that ending by itself with status 0 is this child's normal end, not a failure.
	MayExit bool
	// OnLine is called with each line of stdout and stderr, without the prefix, from one goroutine at a time.
	OnLine func(line string)
}

// Port is a TCP address that a child will listen on.
type Port struct {
	Addr string // host:port
	Use  string // what it serves, for the error message: "OTLP/gRPC"
}

func (c *Child) readyTimeout() time.Duration {
	if c.ReadyTimeout > 0 {
		return c.ReadyTimeout
	}
	return defaultReadyTimeout
}

func (c *Child) stopTimeout() time.Duration {
	if c.StopTimeout > 0 {
		return c.StopTimeout
	}
	return defaultStopTimeout
}

// probe asks once whether the child is ready.
func (c *Child) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if c.ReadyURL != "" {
		if err := HTTPReady(c.ReadyURL)(ctx); err != nil {
			return err
		}
	}
	if c.Ready != nil {
		return c.Ready(ctx)
	}
	return nil
}

// HTTPReady is a Ready function that is satisfied when GET on every one of the URLs answers 2xx.
func HTTPReady(urls ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, url := range urls {
			if err := getOK(ctx, url); err != nil {
				return err
			}
		}
		return nil
	}
}

// TCPReady is a Ready function that is satisfied when something accepts connections on the address.
func TCPReady(addr string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err != nil {
			return fmt.Errorf("connect to %s: %w", addr, err)
		}
		return conn.Close()
	}
}

// probeClient keeps no connection: a parked one would be a goroutine that outlives the group, and would hold up the
// graceful shutdown of the child. It goes through no proxy and follows no redirect: readiness is the child's own word.
var probeClient = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func getOK(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ready URL %q: %w", url, err)
	}
	resp, err := probeClient.Do(req)
	if err != nil {
		return fmt.Errorf("not reachable yet: %w", err)
	}
	if err := resp.Body.Close(); err != nil {
		return fmt.Errorf("GET %s: %w", url, err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return fmt.Errorf("GET %s: answered %s", url, resp.Status)
	}
	return nil
}

// check refuses a description that could not work.
func (c *Child) check() error {
	if c.Name == "" || c.Path == "" {
		return errors.New("supervise: a child needs a Name and a Path")
	}
	return nil
}
