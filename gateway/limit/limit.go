// Package limit says no in time: rate limits, limits on requests in flight with a short queue, limits that find
// themselves by latency, and load shedding by priority.
//
//   - Rates is a table of buckets for (rule, route, tenant, client). It has a fixed size; a bucket that is full again needs
//     no place, so forgetting idle keys changes no answer. When all places of a key's set are taken by busy keys, the one
//     that is full soonest is forgotten, and Lost counts it.
//   - Gate bounds the requests in flight. Those beyond it queue, first come first served, up to a bound and for a bounded
//     time; what the queue does not take is refused at once.
//   - Adaptive moves the limit of a Gate by comparing the latency of now with that of an idle upstream.
//   - Shedder refuses classes of requests, least important first, as in-flight requests or memory near their bound.
//
// All state lives in values that the caller keeps beyond a reload, by route; the numbers come with each call or by a
// setter. Nothing here starts a goroutine, nor allocates on the way of an admitted request; only a request that has to
// queue makes a channel and a timer. A refusal is data (Refusal); writing the answer is the caller's.
package limit

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// Reason says which limit refused. It is a closed set, fit for a metric.
type Reason string

// The reasons.
const (
	None         Reason = ""
	RateLimited  Reason = "rate"
	QueueFull    Reason = "queue_full"
	QueueTimeout Reason = "queue_timeout"
	ClientGone   Reason = "client_gone" // the request ended while it was queued: nobody is there to answer
	Shed         Reason = "shed"
)

// Refusal is why a request is not admitted, and what to answer. Its zero value is none.
type Refusal struct {
	Reason     Reason
	RetryAfter time.Duration
}

// Refused says whether there is a refusal at all.
func (r Refusal) Refused() bool { return r.Reason != None }

// Status is 429 where the client has sent too much, else 503: it is the service that has too much.
func (r Refusal) Status() int {
	if r.Reason == RateLimited {
		return http.StatusTooManyRequests
	}
	return http.StatusServiceUnavailable
}

// WriteHeader sets Retry-After, in whole seconds, rounded up.
func (r Refusal) WriteHeader(h http.Header) {
	if r.RetryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64(ceilSeconds(r.RetryAfter)), 10))
	}
}

// Quota is where a client stands with the rule that leaves it least.
type Quota struct {
	Rule      *Rule
	Remaining int           // requests that would be admitted now
	Reset     time.Duration // until all are available again
}

// WriteHeader sets RateLimit-Policy and RateLimit as in the IETF's draft on RateLimit header fields, version 10: the name
// of the policy, its quota q for a window w, what remains r, and the seconds t until it is whole again.
func (q Quota) WriteHeader(h http.Header) {
	if q.Rule == nil {
		return
	}
	h.Set("RateLimit-Policy", q.Rule.policy)
	h.Set("RateLimit", fmt.Sprintf("%q;r=%d;t=%d", q.Rule.name, q.Remaining, ceilSeconds(q.Reset)))
}

func ceilSeconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }
