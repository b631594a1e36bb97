package prometheusstoreexporter_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"

	"github.com/tailgate-otel/tailgate/exporters/prometheusstoreexporter/internal/metadatatest"
)

type counts map[string]int64

func points(by counts) []metricdata.DataPoint[int64] {
	var all []metricdata.DataPoint[int64]
	for reason, n := range by {
		all = append(all, metricdata.DataPoint[int64]{Value: n, Attributes: attribute.NewSet(attribute.String("reason", reason))})
	}
	return all
}

// assertSamples compares the exporter's own counters.
func (w *world) assertSamples(appended int64, refused counts) {
	w.t.Helper()
	metadatatest.AssertEqualExporterPrometheusstoreSamplesAppended(w.t, w.telemetry,
		[]metricdata.DataPoint[int64]{{Value: appended}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	if len(refused) == 0 {
		_, err := w.telemetry.GetMetric("otelcol_exporter_prometheusstore_samples_refused")
		require.Error(w.t, err, "no sample is refused")
		return
	}
	metadatatest.AssertEqualExporterPrometheusstoreSamplesRefused(w.t, w.telemetry, points(refused), metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
}

func (w *world) assertExemplars(appended int64, refused counts) {
	w.t.Helper()
	metadatatest.AssertEqualExporterPrometheusstoreExemplarsAppended(w.t, w.telemetry,
		[]metricdata.DataPoint[int64]{{Value: appended}}, metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	if len(refused) > 0 {
		metadatatest.AssertEqualExporterPrometheusstoreExemplarsRefused(w.t, w.telemetry, points(refused), metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars())
	}
}

const targetInfo = 1 // each batch with data has one sample of target_info

// One bad sample of a hundred: 99 are stored, one is counted with its reason. The bad one comes first and shares its
// metric with others where it can, which is where Prometheus' own handlers lose the most.
func TestOneBadSampleNeverCostsTheOthers(t *testing.T) {
	at := now()
	for name, tc := range map[string]struct {
		store  settings
		before func(*batch)
		bad    func(*batch, pmetric.NumberDataPointSlice)
		reason string
	}{
		"out of order": {
			store:  settings{"out_of_order_time_window": "0s"},
			before: func(b *batch) { b.gauge("depth", 1, "n", "bad") },
			bad: func(b *batch, points pmetric.NumberDataPointSlice) {
				b.number(points, 1, "n", "bad").SetTimestamp(pcommon.NewTimestampFromTime(at.Add(-time.Second)))
			},
			reason: "out_of_order",
		},
		"older than the out-of-order window": {
			before: func(b *batch) { b.gauge("depth", 1, "n", "bad") },
			bad: func(b *batch, points pmetric.NumberDataPointSlice) {
				b.number(points, 1, "n", "bad").SetTimestamp(pcommon.NewTimestampFromTime(at.Add(-30 * time.Minute)))
			},
			reason: "too_old",
		},
		"older than anything the store takes": {
			before: func(b *batch) { b.gauge("depth", 1, "n", "bad") },
			bad: func(b *batch, points pmetric.NumberDataPointSlice) {
				b.number(points, 1, "n", "bad").SetTimestamp(pcommon.NewTimestampFromTime(at.Add(-2 * time.Hour)))
			},
			reason: "too_old",
		},
		"time not set": {
			bad: func(b *batch, points pmetric.NumberDataPointSlice) {
				b.number(points, 1, "n", "bad").SetTimestamp(0)
			},
			reason: "too_old",
		},
		"far in the future": {
			bad: func(b *batch, points pmetric.NumberDataPointSlice) {
				b.number(points, 1, "n", "bad").SetTimestamp(pcommon.NewTimestampFromTime(at.Add(24 * time.Hour)))
			},
			reason: "too_far_ahead",
		},
		"other value for a stored time": {
			before: func(b *batch) { b.gauge("depth", 1, "n", "bad") },
			bad:    func(b *batch, points pmetric.NumberDataPointSlice) { b.number(points, 2, "n", "bad") },
			reason: "duplicate",
		},
		"twice in one batch": {
			bad: func(b *batch, points pmetric.NumberDataPointSlice) {
				b.number(points, 2, "n", "0")
			},
			reason: "duplicate",
		},
		"histogram whose count does not add up": {
			bad: func(b *batch, _ pmetric.NumberDataPointSlice) {
				b.exponentialPoint(b.exponential("rpc.duration")).SetCount(99)
			},
			reason: "bad_histogram",
		},
		"histogram scale below what Prometheus has": {
			bad: func(b *batch, _ pmetric.NumberDataPointSlice) {
				b.exponentialPoint(b.exponential("rpc.duration")).SetScale(-5)
			},
			reason: "bad_histogram",
		},
		"delta intervals that overlap": {
			before: func(b *batch) { deltaSum(b, at.Add(-20*time.Second), at.Add(-10*time.Second)) },
			bad:    func(b *batch, _ pmetric.NumberDataPointSlice) { deltaSum(b, at.Add(-15*time.Second), at) },
			reason: "overlapping_delta",
		},
		"attribute without a name": {
			bad:    func(b *batch, points pmetric.NumberDataPointSlice) { b.number(points, 1, "", "bad") },
			reason: "untranslatable",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.store, nil)
			stored := int64(0)
			if tc.before != nil {
				b := newBatch(at)
				tc.before(b)
				w.push(b)
				stored = 2 // the sample and target_info
			}
			b := newBatch(at)
			depth := b.metric("depth", "", "").SetEmptyGauge().DataPoints()
			tc.bad(b, depth)
			for n := range 99 {
				b.number(depth, float64(n), "n", strconv.Itoa(n))
			}
			w.push(b)

			// In "twice in one batch" the first of the two stays, so 2 at n=0 instead of 0.
			want := map[bool]string{true: "4853", false: "4851"}[name == "twice in one batch"]
			assert.Equal(t, "99", w.value(`count(depth{n=~"[0-9]+"})`, at))
			assert.Equal(t, want, w.value(`sum(depth{n=~"[0-9]+"})`, at))
			w.assertSamples(stored+99+targetInfo, counts{tc.reason: 1})
		})
	}
}

func deltaSum(b *batch, from, to time.Time) {
	sum := b.sum("requests", "1", true)
	sum.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	p := b.number(sum.DataPoints(), 1)
	p.SetStartTimestamp(pcommon.NewTimestampFromTime(from))
	p.SetTimestamp(pcommon.NewTimestampFromTime(to))
}

// Delta points are stored as what Prometheus has, a counter; a batch that is sent again adds nothing.
func TestDeltasAreAddedUp(t *testing.T) {
	w := newWorld(t, nil, nil)
	at := now()
	for _, ago := range []time.Duration{30 * time.Second, 20 * time.Second, 20 * time.Second, 10 * time.Second} {
		b := newBatch(at)
		deltaSum(b, at.Add(-ago-10*time.Second), at.Add(-ago))
		w.push(b)
	}
	assert.Equal(t, "3", w.value("requests_total", at))
	assert.Equal(t, "3", w.value("max_over_time(requests_total[1m]) - min_over_time(requests_total[1m])", at), "from a zero sample on")
	w.assertSamples(4*(1+targetInfo), nil)
}

// A resource that stops exporting has its series end, as a target that cannot be scraped.
func TestSilentResourceGoesStale(t *testing.T) {
	w := newWorld(t, nil, nil)
	at := now()
	for _, ago := range []time.Duration{time.Second, 0} { // an export a second
		b := newBatch(at.Add(-ago))
		b.gauge("depth", 1)
		w.push(b)
	}
	require.NotEmpty(t, w.query("depth", at))
	require.Eventually(t, func() bool { return len(w.query(`{__name__=~"depth|target_info"}`, time.Now())) == 0 }, 10*time.Second, 100*time.Millisecond)
	assert.NotEmpty(t, w.query("depth", at.Add(time.Second)), "the last value holds until the next was due")
}

// Beyond a limit points are summed into one series that says so.
func TestLimitedSeriesOverflow(t *testing.T) {
	w := newWorld(t, nil, settings{"limits": map[string]any{"per_metric": 3}})
	b := newBatch(now())
	counters := b.sum("requests", "1", true).DataPoints()
	for n := range 10 {
		b.number(counters, 1, "n", strconv.Itoa(n))
	}
	w.push(b)
	assert.Equal(t, "3", w.value(`count(requests_total{n!=""})`, b.at))
	assert.Equal(t, "7", w.value(`requests_total{otel_metric_overflow="true"}`, b.at))
}

// A re-sent batch is stored once and refused nowhere: senders retry after a lost answer.
func TestResendingIsHarmless(t *testing.T) {
	w := newWorld(t, nil, nil)
	at := now()
	for range 2 {
		b := newBatch(at)
		b.number(b.sum("requests", "1", true).DataPoints(), 5)
		b.exponentialPoint(b.exponential("rpc.duration"))
		w.push(b)
	}
	assert.Equal(t, "1", w.value("count_over_time(requests_total[1m])", at))
	assert.Equal(t, "1", w.value("count_over_time(rpc_duration_seconds[1m])", at))
	w.assertSamples(2*(2+targetInfo), nil)
}

func TestExemplarsAreRefusedByReason(t *testing.T) {
	at := now()
	for name, tc := range map[string]struct {
		store    settings
		spoil    func(pmetric.ExemplarSlice)
		appended int64
		reason   string
	}{
		"without a value": {
			spoil:    func(to pmetric.ExemplarSlice) { to.AppendEmpty().SetTimestamp(pcommon.NewTimestampFromTime(at)) },
			appended: 1, reason: "other",
		},
		"switched off": {
			store:  settings{"max_exemplars": 0},
			spoil:  func(pmetric.ExemplarSlice) {},
			reason: "disabled",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, tc.store, nil)
			b := newBatch(at)
			p := b.number(b.sum("requests", "1", true).DataPoints(), 5)
			exemplar(p.Exemplars(), 2, at, 2)
			tc.spoil(p.Exemplars())
			w.push(b)
			assert.Equal(t, "5", w.value("requests_total", at), "the sample itself is stored")
			w.assertExemplars(tc.appended, counts{tc.reason: 1})
		})
	}
}

// Counters prove in = appended + refused, whatever the mix.
func TestEveryPointIsAppendedOrRefused(t *testing.T) {
	w := newWorld(t, nil, nil)
	rnd := rand.New(rand.NewPCG(1, 2))
	at := now()
	const batches, perBatch = 20, 50
	stored, refused := int64(0), counts{}
	for round := range batches {
		b := newBatch(at.Add(time.Duration(round-batches) * time.Second))
		for n := range perBatch {
			series := fmt.Sprintf("r%d", n)
			switch rnd.IntN(8) {
			case 0:
				b.gauge("depth", 1, "n", series).SetTimestamp(pcommon.NewTimestampFromTime(at.Add(time.Hour)))
				refused["too_far_ahead"]++
			case 1:
				b.gauge("depth", 1, "", series)
				refused["untranslatable"]++
			case 2:
				b.exponentialPoint(b.exponential("rpc.duration"), "n", series).SetScale(-9)
				refused["bad_histogram"]++
			default:
				b.gauge("depth", 1, "n", series)
				stored++
			}
		}
		w.push(b)
	}
	assert.Equal(t, strconv.FormatInt(stored, 10), w.value("sum(count_over_time(depth[1m]))", at))
	w.assertSamples(stored+batches*targetInfo, refused)
}

// Several receivers write at once; each batch has an appender of its own.
func TestConcurrentBatches(t *testing.T) {
	w := newWorld(t, nil, nil)
	at := now()
	const senders, rounds = 8, 25
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for r := range rounds {
				b := newBatch(at.Add(time.Duration(r-rounds) * time.Second))
				b.number(b.sum("requests", "1", true).DataPoints(), float64(r), "sender", strconv.Itoa(s))
				assert.NoError(t, w.exporter.ConsumeMetrics(context.Background(), b.metrics))
			}
		})
	}
	wg.Wait()
	assert.Equal(t, strconv.Itoa(senders*rounds), w.value("sum(count_over_time(requests_total[5m]))", at))
}

// The store's page shows what the exporter refuses.
func TestRefusedSamplesAreOnThePage(t *testing.T) {
	w := newWorld(t, nil, nil)
	b := newBatch(now())
	b.gauge("depth", 1, "", "nameless")
	w.push(b)
	resp, err := w.client.Get("http://store/debug/ingest")
	require.NoError(t, err)
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Contains(t, string(page), "untranslatable")
	assert.Contains(t, string(page), "depth")
}
