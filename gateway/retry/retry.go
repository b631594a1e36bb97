// Package retry decides whether a request is tried again, when, and whether a slow one gets a second attempt beside the
// first (a hedge).
//
// A try is repeated only where that is safe: nothing of the request was sent, or its method may be repeated and its body
// still be sent, or it is gRPC and ended with a code that the operator named. Every repetition and every hedge of a
// request that an upstream may have seen is paid from the route's State: a share of its requests and a few per second
// besides, so that an upstream in trouble gets 20 % more load and not three times as much. Tries that sent nothing are
// free, as they are no load. All of it happens within the deadline of the context.
//
// Policy.Next is the decision, without clock, goroutine or lock. Do is the loop around it. The first try runs on the
// caller's goroutine; a hedge runs on one of its own, which only exists when the first try was slower than most. The
// loser of the two is cancelled at once and Result.Wait returns when it is gone.
//
// Left to others: which endpoint is tried (the attempt function picks another one by itself), per-try timeouts
// (gateway/budget), and what happens when no try helped (gateway/fallback).
package retry

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Settings say what is tried again. The zero value is a sensible policy without hedging.
type Settings struct {
	// Attempts is the most tries of a request, hedges included. 1: none is repeated. 0: 3, so that a request survives one
	// dead endpoint and one bad moment; each further one adds load for ever less.
	Attempts int
	// Methods may be repeated although the upstream may have seen the request. Empty: GET, HEAD, OPTIONS and TRACE, which
	// change nothing. PUT and DELETE are idempotent by the book but not in every service: name them if yours are.
	Methods []string
	// Statuses of a response that are worth another try. Empty: 502, 503 and 504.
	Statuses []int
	// GRPCCodes of a gRPC response without messages that are worth another try, for all methods of the route. Empty: none,
	// as only the service knows which of its calls may be repeated. 14 (UNAVAILABLE) is the usual one.
	GRPCCodes []uint32
	// BackoffBase and BackoffMax bound the wait before the nth repetition: a random part of min(BackoffMax,
	// BackoffBase x 2^(n-1)). 0: 25ms and 250ms. A first repetition of what was never sent does not wait: another endpoint
	// gets it.
	BackoffBase, BackoffMax time.Duration
	// BudgetShare is the part of a route's requests that may be repeated, BudgetPerSecond what may be repeated besides, for
	// routes with little traffic. 0: 0.2 and 3. Negative: none.
	BudgetShare, BudgetPerSecond float64
	// HedgePercentile of the route's own latency after which a second try is sent beside the first: 0.95 means that one in
	// twenty requests is. 0: no hedging.
	HedgePercentile float64
	// HedgeMin is the shortest time before a hedge, however fast the upstream. 0: 5ms, as below it a garbage collection is
	// all that one races against.
	HedgeMin time.Duration
}

// Policy is checked Settings. It is immutable and may be shared.
type Policy struct {
	s        Settings
	statuses statusSet
}

// New checks s. Its errors begin with the name of the field.
func New(s Settings) (*Policy, error) {
	setDefaults(&s)
	var errs []error
	if s.Attempts < 1 || s.Attempts > 10 {
		errs = append(errs, fmt.Errorf("Attempts: must be from 1 to 10, got %d", s.Attempts))
	}
	p := &Policy{s: s}
	for _, status := range s.Statuses {
		if status < 400 || status > 599 {
			errs = append(errs, fmt.Errorf("Statuses: %d is no error status (400 to 599)", status))
			continue
		}
		p.statuses.add(status)
	}
	for _, code := range s.GRPCCodes {
		if code < 1 || code > 16 {
			errs = append(errs, fmt.Errorf("GRPCCodes: %d is no error code (1 to 16)", code))
		}
	}
	if s.BackoffBase < 0 || s.BackoffMax < s.BackoffBase {
		errs = append(errs, fmt.Errorf("BackoffMax: must not be below BackoffBase, nor either negative, got %s and %s", s.BackoffMax, s.BackoffBase))
	}
	if s.BudgetShare > 1 {
		errs = append(errs, fmt.Errorf("BudgetShare: must not be above 1, got %v", s.BudgetShare))
	}
	if s.HedgePercentile < 0 || s.HedgePercentile > 0.999 || s.HedgePercentile > 0 && s.HedgePercentile < 0.5 {
		errs = append(errs, fmt.Errorf("HedgePercentile: must be 0 or from 0.5 to 0.999, got %v", s.HedgePercentile))
	}
	if s.HedgeMin < 0 {
		errs = append(errs, fmt.Errorf("HedgeMin: must not be negative, got %s", s.HedgeMin))
	}
	return p, errors.Join(errs...)
}

func setDefaults(s *Settings) {
	if s.Attempts == 0 {
		s.Attempts = 3
	}
	if len(s.Methods) == 0 {
		s.Methods = []string{http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace}
	}
	if len(s.Statuses) == 0 {
		s.Statuses = []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}
	}
	if s.BackoffBase == 0 {
		s.BackoffBase = 25 * time.Millisecond
	}
	if s.BackoffMax == 0 {
		s.BackoffMax = max(250*time.Millisecond, s.BackoffBase)
	}
	if s.BudgetShare == 0 {
		s.BudgetShare = 0.2
	}
	if s.BudgetPerSecond == 0 {
		s.BudgetPerSecond = 3
	}
	if s.HedgeMin == 0 {
		s.HedgeMin = 5 * time.Millisecond
	}
}

// Request is what the decision needs to know of a request.
type Request struct {
	Method string
	// Replayable says that the body can be sent again from its beginning, or that there is none.
	Replayable bool
}

// statusSet holds statuses from 400 to 599.
type statusSet [4]uint64

func (s *statusSet) add(status int) { s[(status-400)/64] |= 1 << ((status - 400) % 64) }

func (s *statusSet) has(status int) bool {
	return status >= 400 && status < 600 && s[(status-400)/64]&(1<<((status-400)%64)) != 0
}
