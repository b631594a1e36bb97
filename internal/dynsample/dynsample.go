// Package dynsample finds out how strictly to sample each kind of trace. A kind is a key: the values of some fields of
// the trace, built by the caller. Four samplers answer the question differently:
//
//	EMA         keep 1 in N overall; frequent keys give, rare keys are kept (Refinery's EMADynamicSampler)
//	Throughput  the same, but keep so many per second (Refinery's EMAThroughputSampler)
//	Budget      divide so many per second max-min fairly among the keys; what one does not use, the others get
//	Rare        keep the first few of each key in a period, and a trickle of what is frequent
//
// The answer is a threshold, not a decision: the caller composes it with the threshold at which the trace came in
// (probability.Compose), asks the trace's randomness, and writes th on what is kept. So the same trace meets the same
// fate wherever rates are equal, a stricter rate keeps a subset of what a looser one keeps, and adjusted counts estimate
// every key's true volume without bias, however wrong the rates are: a rate depends on traces that came before and never
// on the randomness of the trace it is asked about.
//
// A sampler starts no goroutine and reads no clock: rates are adjusted by the first call after an interval has passed.
// It is safe for concurrent use, under one mutex; a known key allocates nothing. Its memory is bounded by max_keys times
// the length of a key. Keys that find no room share one rate among them, as keys do that were seen for the first time
// only just now; so a field full of unique values costs the goal nothing but that one rate.
package dynsample

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tailgate-otel/tailgate/internal/probability"
)

// Sampler gives each trace the threshold that its key currently has.
type Sampler interface {
	// Threshold counts a trace of so many spans under key and returns the threshold for it. Weight is the adjusted count
	// with which the trace came in, 1 if nobody sampled before. key is not kept: it may be a view of a buffer.
	Threshold(now time.Time, key string, weight float64, spans int) probability.Threshold
	// Top returns the n busiest keys, busiest first, with what they are kept at right now.
	Top(n int) []KeyRate
	// Keys is the number of keys known apart.
	Keys() int
	// Bytes is about what the sampler holds in memory.
	Bytes() int
}

// KeyRate is one line of an explanation why traces are kept or dropped.
type KeyRate struct {
	Key             string
	Probability     float64
	TracesPerSecond float64 // as they arrive, averaged
}

// OtherKeys stands in Top for all keys that have no rate of their own.
const OtherKeys = "(other keys)"

// Unit is what a goal counts.
type Unit string

const (
	Spans  Unit = "spans"
	Traces Unit = "traces"
)

const (
	defaultMaxKeys = 500    // Refinery advises to stay in the hundreds; a dashboard of more is not read
	maxMaxKeys     = 20_000 // an adjustment takes 0.1 us per key under the lock (BenchmarkAdjust): 2 ms here
	maxKeyBytes    = 1024   // what is longer shares the rate of all keys that begin alike
)

// clip bounds the bytes that a key may hold. The rest of the key is ignored.
func clip(key string, n int) string {
	return key[:min(len(key), n)]
}

// adjusted makes a usable weight of whatever came in.
func adjusted(weight float64) float64 {
	if !(weight >= 1) {
		return 1
	}
	return min(weight, float64(probability.Never))
}

// busiest sorts by traces per second, ties by key, and cuts to n.
func busiest(rates []KeyRate, n int) []KeyRate {
	slices.SortFunc(rates, func(a, b KeyRate) int {
		return cmp.Or(cmp.Compare(b.TracesPerSecond, a.TracesPerSecond), strings.Compare(a.Key, b.Key))
	})
	return rates[:min(len(rates), max(n, 0))]
}

func validateFields(fields []string) error {
	var errs []error
	for i, f := range fields {
		if f == "" {
			errs = append(errs, fmt.Errorf("fields[%d]: must not be empty; name an attribute", i))
		} else if slices.Contains(fields[:i], f) {
			errs = append(errs, fmt.Errorf("fields[%d]: %q is listed twice; remove one", i, f))
		}
	}
	return errors.Join(errs...)
}

func validateMaxKeys(n, most int) error {
	if n < 0 || n > most {
		return fmt.Errorf("max_keys: must be 1 to %d, or 0 for the default, got %d", most, n)
	}
	return nil
}

// atLeastOne refuses NaN and infinity too. 0 stands for the default.
func atLeastOne(key string, v float64) error {
	if v == 0 || v >= 1 && !math.IsInf(v, 1) {
		return nil
	}
	return fmt.Errorf("%s: must be at least 1, or 0 for the default, got %v", key, v)
}
