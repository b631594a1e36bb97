package promserver

import (
	"fmt"
	"math"
	"net/url"
	"testing"
	"time"

	commonconfig "github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/prompb"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
)

// Dump is every sample of every series, as text that two dumps are equal in only when the samples are, to the last bit:
// the series to a line per sample, in the order of time.
type Dump map[string][]string

// Samples is how many samples the dump has.
func (d Dump) Samples() int {
	n := 0
	for _, lines := range d {
		n += len(lines)
	}
	return n
}

// Read reads everything between two times by remote read, which, unlike a query, also tells stale markers, the schema of
// a histogram and whether it was reset.
func (a API) Read(t testing.TB, from, to time.Time) Dump {
	t.Helper()
	target, err := url.Parse(string(a) + "/api/v1/read")
	if err != nil {
		t.Fatal(err)
	}
	client, err := remote.NewReadClient("test", &remote.ClientConfig{
		URL: &commonconfig.URL{URL: target}, Timeout: model.Duration(requestTimeout), ChunkedReadLimit: 1 << 28,
	})
	if err != nil {
		t.Fatal(err)
	}
	set, err := client.Read(t.Context(), &prompb.Query{
		StartTimestampMs: from.UnixMilli(), EndTimestampMs: to.UnixMilli(),
		Matchers: []*prompb.LabelMatcher{{Type: prompb.LabelMatcher_RE, Name: model.MetricNameLabel, Value: ".+"}},
	}, true)
	if err != nil {
		t.Fatalf("remote read from %s: %v", a, err)
	}
	return dump(t, set)
}

func dump(t testing.TB, set storage.SeriesSet) Dump {
	t.Helper()
	out := Dump{}
	var it chunkenc.Iterator
	for set.Next() {
		series := set.At()
		name := series.Labels().String()
		it = series.Iterator(it)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			out[name] = append(out[name], line(it, kind))
		}
		if err := it.Err(); err != nil {
			t.Fatalf("read series %s: %v", name, err)
		}
	}
	if err := set.Err(); err != nil {
		t.Fatalf("read series: %v", err)
	}
	return out
}

func line(it chunkenc.Iterator, kind chunkenc.ValueType) string {
	switch kind {
	case chunkenc.ValFloat:
		at, v := it.At()
		return fmt.Sprintf("%d %s", at, float(v))
	case chunkenc.ValHistogram:
		at, h := it.AtHistogram(nil)
		return fmt.Sprintf("%d int %s", at, histogramText(h.CounterResetHint, h.Sum, h.Schema, h))
	default:
		at, h := it.AtFloatHistogram(nil)
		return fmt.Sprintf("%d float %s", at, histogramText(h.CounterResetHint, h.Sum, h.Schema, h))
	}
}

func float(v float64) string {
	if value.IsStaleNaN(v) {
		return "stale"
	}
	return fmt.Sprintf("%v (%016x)", v, math.Float64bits(v))
}

func histogramText(hint histogram.CounterResetHint, sum float64, schema int32, h fmt.Stringer) string {
	return fmt.Sprintf("schema=%d hint=%d sum=%s %s", schema, hint, float(sum), h)
}
