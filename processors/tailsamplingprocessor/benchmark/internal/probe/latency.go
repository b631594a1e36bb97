package probe

import (
	"slices"
	"time"
)

// Latencies collects durations one by one; a paced run has some ten thousand calls, few enough to keep them all and
// read exact quantiles.
type Latencies []time.Duration

// Quantile returns the smallest duration that at least share q of all do not exceed. It sorts in place.
func (l Latencies) Quantile(q float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	slices.Sort(l)
	rank := int(q*float64(len(l))+0.999999) - 1 // ceil, forgiving 0.99*100 = 99.00000000000001
	return l[min(max(rank, 0), len(l)-1)]
}
