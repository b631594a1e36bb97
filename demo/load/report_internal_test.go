package load

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestQuantilesAreExactToOnePercent(t *testing.T) {
	src := rand.New(rand.NewPCG(1, 2))
	var h histogram
	var all []float64
	for range 10_000 {
		d := time.Duration(1e6 * math.Exp(3*src.NormFloat64()))
		h.add(d)
		all = append(all, max(d.Seconds(), 1e-6))
	}
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.5, 0.9, 0.99, 1} {
		want := all[int(math.Ceil(q*10_000))-1]
		if got := h.quantile(q); math.Abs(got-want)/want > 0.0101 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	if float64(h.quantiles().Max) != all[len(all)-1] {
		t.Error("the maximum is not exact")
	}
	if s := Seconds(0.00951).String(); s != "9.5ms" {
		t.Errorf("9.51 ms is written %s", s)
	}
	if new(histogram).quantile(0.5) != 0 {
		t.Error("a quantile of nothing")
	}
}
