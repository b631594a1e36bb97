package remotewrite

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// Reasons for which samples do not arrive. The first three are those of Prometheus' dropped counters.
const (
	reasonTooOld        = "too_old"
	reasonDroppedSeries = "dropped_series"
	reasonCustomBuckets = "nhcb_in_rw1_not_supported"
	reasonQueueFull     = "queue_full"
	reasonDamaged       = "damaged_segment"
)

// reasonsOf tells by the server's words why it refused, in the order in which they are looked for. The words are those of
// Prometheus' storage errors, which Mimir, Thanos and others share.
var reasonsOf = [...]struct{ words, reason string }{
	{"out of order", "out_of_order"},
	{"out-of-order", "out_of_order"},
	{"too old", "too_old"},
	{"out of bounds", "out_of_bounds"},
	{"duplicate sample", "duplicate"},
	{"duplicated label", "invalid_labels"},
	{"label", "invalid_labels"},
	{"metric name", "invalid_labels"},
	{"histogram", "histogram"},
	{"limit", "limit"},
	{"too far", "too_far_ahead"},
	{"future", "too_far_ahead"},
}

const reasonOther = "other"

func reasonOf(message string) string {
	message = strings.ToLower(message)
	for _, r := range reasonsOf {
		if strings.Contains(message, r.words) {
			return r.reason
		}
	}
	return reasonOther
}

// Refusal is an example of what the server did not take.
type Refusal struct {
	Time    time.Time
	Status  int
	Reason  string // as in tailgate_remote_write_refused_samples_total
	Message string // the server's words
	Series  string // one of the refused, or the first of the request where the server does not say which
	Samples int
}

// keptRefusals is how many examples are kept: enough for a page of a debug endpoint.
const keptRefusals = 64

// refusals keeps the latest.
type refusals struct {
	mu     sync.Mutex // guards all below
	latest []Refusal
	next   int
}

func (r *refusals) add(x Refusal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.latest) < keptRefusals {
		r.latest = append(r.latest, x)
		return
	}
	r.latest[r.next] = x
	r.next = (r.next + 1) % keptRefusals
}

// list returns them newest first.
func (r *refusals) list() []Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := slices.Concat(r.latest[r.next:], r.latest[:r.next])
	slices.Reverse(out)
	return out
}
