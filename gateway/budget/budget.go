// Package budget keeps the deadline of a request: what the route allows and what the client still has, whichever ends
// first. It is never extended: each attempt gets what is left, and so does the service behind it, in a header that is
// rounded down.
//
// A Budget is a value of 32 bytes that is compared with a clock the caller reads anyway. Starting one and a first attempt
// costs 83 ns and allocates nothing, where context.WithTimeout costs 596 ns and four allocations (BenchmarkStart, one
// busy machine). Who needs a context.Context takes NewContext, which arms a timer only when somebody waits for it.
//
// The package starts no goroutine and holds nothing between requests. What to do with a request whose budget is used up
// (504, a fallback) is left to the caller, as is cutting off bodies that are still running.
package budget

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// DefaultHeader carries the remaining time in milliseconds if Settings name no other header.
const DefaultHeader = "X-Request-Timeout-Ms"

// DefaultMinTry is the shortest attempt worth making: what a header in milliseconds can say.
const DefaultMinTry = time.Millisecond

const (
	grpcHeader  = "Grpc-Timeout"
	envoyHeader = "X-Envoy-Expected-Rq-Timeout-Ms"
)

// Settings say how much time the requests of a route have.
type Settings struct {
	// Total is the time from the first byte of the request to the last of the response. 0: as long as the client allows.
	Total time.Duration
	// PerTry is the longest that one attempt may take. 0: all that is left.
	PerTry time.Duration
	// MinTry is the least time for which an attempt is made at all; with less left the budget counts as used up. Larger
	// values spare services work whose answer comes too late. 0: DefaultMinTry.
	MinTry time.Duration
	// Header is read and written with the time in milliseconds, beside grpc-timeout and Envoy's header. Empty:
	// DefaultHeader.
	Header string
	// IgnoreInbound is for an edge that lets its clients decide nothing: their headers are not read, nor passed on.
	IgnoreInbound bool
}

// Policy is checked Settings. It is immutable and may be shared.
type Policy struct {
	total, perTry, minTry time.Duration
	sources               []source
	ignoreInbound         bool
}

// source is a header that says how much time there is.
type source struct {
	header string
	parse  func(string) (time.Duration, error)
	format func(time.Duration) string
}

// New checks s. Its errors begin with the name of the field.
func New(s Settings) (*Policy, error) {
	var errs []error
	for _, f := range []struct {
		name string
		d    time.Duration
	}{{"Total", s.Total}, {"PerTry", s.PerTry}, {"MinTry", s.MinTry}} {
		if f.d < 0 {
			errs = append(errs, fmt.Errorf("%s: must not be negative, got %s", f.name, f.d))
		}
	}
	if s.MinTry == 0 {
		s.MinTry = DefaultMinTry
	}
	if s.Total > 0 && s.MinTry > s.Total {
		errs = append(errs, fmt.Errorf("MinTry: %s never fits into Total %s, lower it", s.MinTry, s.Total))
	}
	if s.PerTry > 0 && s.MinTry > s.PerTry {
		errs = append(errs, fmt.Errorf("MinTry: %s never fits into PerTry %s, lower it", s.MinTry, s.PerTry))
	}
	if s.Header == "" {
		s.Header = DefaultHeader
	}
	if !isToken(s.Header) {
		errs = append(errs, fmt.Errorf("Header: %q is no name of a header", s.Header))
	}
	own := http.CanonicalHeaderKey(s.Header)
	if own == grpcHeader || own == envoyHeader {
		errs = append(errs, fmt.Errorf("Header: %s is read in any case, name another header or none", own))
	}
	return &Policy{total: s.Total, perTry: s.PerTry, minTry: s.MinTry, ignoreInbound: s.IgnoreInbound,
		sources: []source{
			{own, parseMillis, formatMillis},
			{grpcHeader, parseGRPC, formatGRPC},
			{envoyHeader, parseMillis, formatMillis},
		}}, errors.Join(errs...)
}

// Budget is the deadline of one request. The zero value has none and no policy: it is of use only as a placeholder.
type Budget struct {
	policy   *Policy
	deadline time.Time // zero: unlimited
}

// Start begins the budget of a request that arrived at now with header h. The budget is usable in any case; the error
// says which header could not be read and was left out, so that the caller can refuse or count the request.
func (p *Policy) Start(h http.Header, now time.Time) (Budget, error) {
	left, limited := p.total, p.total > 0
	var err error
	if !p.ignoreInbound {
		for i := range p.sources {
			s := &p.sources[i]
			for _, v := range h[s.header] { // repeated headers: the shortest counts
				d, bad := s.parse(v)
				if bad != nil {
					err = fmt.Errorf("header %s: %w", s.header, bad)
					continue
				}
				if !limited || d < left {
					left, limited = d, true
				}
			}
		}
	}
	if !limited {
		return Budget{policy: p}, err
	}
	return Budget{policy: p, deadline: now.Add(left)}, err
}

// Deadline returns when the budget ends, and whether it does.
func (b Budget) Deadline() (time.Time, bool) { return b.deadline, !b.deadline.IsZero() }

// Expired says whether no attempt is worth making any more.
func (b Budget) Expired(now time.Time) bool {
	return !b.deadline.IsZero() && b.deadline.Sub(now) < b.policy.minTry
}

// Try returns the budget of an attempt that begins at now: what is left, and not more than the route allows one attempt.
// False means that the budget has expired and nothing may be sent.
func (b Budget) Try(now time.Time) (Budget, bool) {
	if b.Expired(now) {
		return b, false
	}
	if b.policy.perTry > 0 {
		if end := now.Add(b.policy.perTry); b.deadline.IsZero() || end.Before(b.deadline) {
			b.deadline = end
		}
	}
	return b, true
}

// Forward writes what is left at now into the header of an attempt: into grpc-timeout for gRPC, else into the route's
// header, and into whichever of the others the client sent, since that would promise too much by now. Figures are
// rounded down. A budget without end removes what an ignored client sent.
func (b Budget) Forward(h http.Header, now time.Time) {
	grpc := strings.HasPrefix(first(h["Content-Type"]), "application/grpc")
	for i := range b.policy.sources {
		s := &b.policy.sources[i]
		_, present := h[s.header]
		wanted := s.header == grpcHeader && grpc || i == 0 && !grpc
		switch {
		case b.deadline.IsZero():
			if present && b.policy.ignoreInbound {
				delete(h, s.header)
			}
		case wanted || present && !b.policy.ignoreInbound:
			h[s.header] = []string{s.format(max(0, b.deadline.Sub(now)))}
		case present:
			delete(h, s.header)
		}
	}
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[0]
}
