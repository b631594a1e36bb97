package payload

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote/otlptranslator/prometheusremotewrite"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// counter is an appender that keeps the last value of each series, and counts.
type counter struct {
	values             map[string]float64
	samples, exemplars int
	traces             map[string]bool
	earliest, latest   int64 // exemplars
}

func (c *counter) Append(
	_ storage.SeriesRef, ls labels.Labels, _, _ int64, v float64, h *histogram.Histogram, _ *histogram.FloatHistogram, o storage.AppendV2Options,
) (storage.SeriesRef, error) {
	if !slices.Contains(Names(), ls.Get(model.MetricNameLabel)) {
		return 0, nil
	}
	if h != nil {
		v = float64(h.Count)
	}
	c.values[ls.String()] = v
	c.samples++
	for _, e := range o.Exemplars {
		c.exemplars++
		c.traces[e.Labels.String()] = true
		c.earliest, c.latest = min(c.earliest, e.Ts), max(c.latest, e.Ts)
	}
	return 0, nil
}

func (*counter) Commit() error   { return nil }
func (*counter) Rollback() error { return nil }

func convert(t *testing.T, md pmetric.Metrics, kind Kind) *counter {
	t.Helper()
	c := &counter{values: map[string]float64{}, traces: map[string]bool{}, earliest: math.MaxInt64}
	_, err := prometheusremotewrite.NewPrometheusConverter(c).FromMetrics(context.Background(), md, prometheusremotewrite.Settings{
		AddMetricSuffixes: true, ConvertHistogramsToNHCB: kind == NHCB,
		PromoteResourceAttributes: prometheusremotewrite.NewPromoteResourceAttributes(config.OTLPConfig{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What Prometheus' own converter makes of an export is what the payload says of itself, and no two points are one series.
func TestAnExportHasAsManySamplesAsItSays(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	for _, kind := range []Kind{Classic, Exponential, NHCB} {
		t.Run(string(kind), func(t *testing.T) {
			got := convert(t, New(kind, 3, start).Next(start.Add(time.Minute)), kind)
			if want := Samples(kind, 3); got.samples != want || len(got.values) != want {
				t.Errorf("%d samples of %d series, want %d of each", got.samples, len(got.values), want)
			}
			if want := Exemplars(3); got.exemplars != want || len(got.traces) != want {
				t.Errorf("%d exemplars of %d traces, want %d of each", got.exemplars, len(got.traces), want)
			}
			if export := start.Add(time.Minute).UnixMilli(); got.earliest < export-1000 || got.latest > export {
				t.Errorf("exemplars from %d to %d ms of an export at %d", got.earliest, got.latest, export)
			}
		})
	}
}

// A row of a table is called 5k series because of this.
func TestSizes(t *testing.T) {
	if got := Samples(Classic, 10); got != 4980 {
		t.Errorf("10 instances are %d classic series", got)
	}
	if got := Samples(NHCB, 10); got != 1140 {
		t.Errorf("10 instances are %d native series", got)
	}
}

func TestValuesMoveOn(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	for _, kind := range []Kind{Exponential, NHCB} {
		f := New(kind, 1, start)
		before := convert(t, f.Next(start.Add(15*time.Second)), kind)
		after := convert(t, f.Next(start.Add(30*time.Second)), kind)
		for series, v := range after.values {
			if old, ok := before.values[series]; !ok || v == old {
				t.Errorf("%s: %v after %v (there before: %v)", series, v, old, ok)
			}
		}
	}
}

// What it allocates is taken off what is measured.
func TestNextAllocatesWhatItSays(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	for _, kind := range []Kind{Classic, Exponential} {
		f := New(kind, 2, at)
		if n := testing.AllocsPerRun(10, func() {
			at = at.Add(time.Second)
			f.Next(at)
		}); n != float64(Allocations(2)) {
			t.Errorf("%s: %v allocations, want %d", kind, n, Allocations(2))
		}
	}
}
