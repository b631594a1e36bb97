package promserver

import (
	"fmt"
	"math"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/tsdbutil"
)

// TestReadTellsApart holds that what is not the same does not read the same: upstream's own remote read handler serves a
// database whose series differ in one thing each.
func TestReadTellsApart(t *testing.T) {
	db, err := tsdb.Open(t.TempDir(), promslog.NewNopLogger(), nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	at := time.Now().UnixMilli()
	app := db.Appender(t.Context())
	for name, v := range map[string]float64{
		"nan": math.NaN(), "stale": math.Float64frombits(value.StaleNaN), "zero": 0, "negative_zero": math.Copysign(0, -1),
		"third": 1. / 3, "next_third": math.Nextafter(1./3, 1),
	} {
		if _, err := app.Append(0, labels.FromStrings("__name__", name), at, v); err != nil {
			t.Fatal(err)
		}
	}
	gauge := tsdbutil.GenerateTestHistogram(3)
	gauge.CounterResetHint = histogram.GaugeType
	for name, h := range map[string]*histogram.Histogram{
		"counter": tsdbutil.GenerateTestHistogram(3), "gauge": gauge, "other": tsdbutil.GenerateTestHistogram(4),
		"custom": tsdbutil.GenerateTestCustomBucketsHistogram(3),
	} {
		if _, err := app.AppendHistogram(0, labels.FromStrings("__name__", name), at, h, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		t.Fatal(err)
	}
	handler := remote.NewReadHandler(promslog.NewNopLogger(), prometheus.NewRegistry(), db,
		func() config.Config { return config.Config{} }, 0, 1, 1<<20)
	server := httptest.NewServer(handler)
	defer server.Close()

	got := API(server.URL).Read(t, time.UnixMilli(at-1), time.UnixMilli(at+1))
	if len(got) != 10 || got.Samples() != 10 {
		t.Fatalf("%d series with %d samples, want 10 with one each: %v", len(got), got.Samples(), got)
	}
	seen := map[string]string{}
	for name, lines := range got {
		if other, ok := seen[lines[0]]; ok {
			t.Errorf("%s and %s read the same: %s", name, other, lines[0])
		}
		seen[lines[0]] = name
	}
	if _, ok := seen[fmt.Sprintf("%d stale", at)]; !ok {
		t.Errorf("no line says that a series went stale: %v", got)
	}
}
