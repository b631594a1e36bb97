package promfront_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/tailgate-otel/tailgate/internal/promfront"
)

// Exemplars go to the bucket of their value and come in the order of time, whatever order the sender has them in. One
// without a value is counted.
func TestExemplars(t *testing.T) {
	s := newScene(t, promfront.Options{Histograms: promfront.Both})
	e := newExport(10)
	p := e.explicit("latency", cumulative, 0, []float64{1}, []uint64{3, 1}, 5)
	for i, x := range []struct{ v, at float64 }{{0.5, 9}, {3, 8}, {1, 7}, {0.2, 8.5}} {
		to := p.Exemplars().AppendEmpty()
		to.SetDoubleValue(x.v)
		to.SetTimestamp(at(x.at))
		to.SetTraceID(pcommon.TraceID{15: byte(i + 1)})
	}
	p.Exemplars().AppendEmpty().SetTimestamp(at(9))
	tally := s.write(e)

	const id = `{trace_id="0000000000000000000000000000000`
	assert.Equal(t, []string{id + `3"} 1 at 7`, id + `4"} 0.2 at 8.5`, id + `1"} 0.5 at 9`}, s.book.exemplars(latency1))
	assert.Equal(t, []string{id + `2"} 3 at 8`}, s.book.exemplars(latencyInf))
	assert.Equal(t, []string{id + `3"} 1 at 7`, id + `2"} 3 at 8`, id + `4"} 0.2 at 8.5`, id + `1"} 0.5 at 9`}, s.book.exemplars(latency))
	assert.Equal(t, int64(8), tally.Exemplars)
	assert.Equal(t, int64(1), tally.ExemplarsRefused[promfront.ExemplarOther])
}

// A point without exemplars does not get those of the one before.
func TestExemplarsDoNotLeak(t *testing.T) {
	s := newScene(t, promfront.Options{})
	e := newExport(10)
	x := e.sum("requests", cumulative)
	p := e.number(x.DataPoints(), 1)
	p.Exemplars().AppendEmpty().SetDoubleValue(1)
	e.number(x.DataPoints(), 1, "n", "1")
	e.gauge("depth", 1)
	s.write(e)
	assert.Len(t, s.book.exemplars(requests), 1)
	assert.Empty(t, s.book.exemplars(`{__name__="requests_total", instance="shop-1", job="shop", n="1"}`))
	assert.Empty(t, s.book.exemplars(depth))
}
