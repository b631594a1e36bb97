package exposition_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"

	"github.com/tailgate-otel/tailgate/internal/exposition"
)

// filled holds histograms of 17 series each; append writes the next point of all of them.
type filled struct {
	x    *exposition.Exposition
	refs []storage.SeriesRef
	t    int64
}

func fill(b *testing.B, histograms int) *filled {
	f := &filled{x: exposition.New(exposition.Options{Expiration: time.Hour, OpenMetrics: true}), refs: make([]storage.SeriesRef, 17*histograms)}
	f.append(b)
	return f
}

func (f *filled) append(b *testing.B) {
	f.t++
	opts := histogramOf("http_server_request_duration_seconds")
	app := f.x.AppenderV2(context.Background())
	for i := range f.refs {
		ls := labels.EmptyLabels()
		if f.refs[i] == 0 {
			name, le := "_bucket", fmt.Sprint(i%17)
			switch i % 17 {
			case 15:
				name, le = "_sum", ""
			case 16:
				name, le = "_count", ""
			}
			ls = labels.NewBuilder(labels.FromStrings(
				model.MetricNameLabel, opts.MetricFamilyName+name, "http_request_method", "GET", "http_response_status_code", "200",
				"http_route", fmt.Sprintf("/api/items/%d", i/17), "instance", "pod-7f9c6d", "job", "shop/checkout",
			)).Set("le", le).Labels()
		}
		ref, err := app.Append(f.refs[i], ls, 0, f.t, float64(f.t), nil, nil, opts)
		if err != nil {
			b.Fatal(err)
		}
		f.refs[i] = ref
	}
	if err := app.Commit(); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkAppend(b *testing.B) {
	f := fill(b, 588) // 9,996 series: a transaction of promfront
	b.ReportAllocs()
	for b.Loop() {
		f.append(b)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(f.refs)), "ns/sample")
}

func BenchmarkScrape(b *testing.B) {
	for _, accept := range []string{acceptText, acceptOpenMetrics, acceptProtobuf} {
		b.Run("accept="+accept[:12], func(b *testing.B) {
			f := fill(b, 588)
			req := httptest.NewRequest(http.MethodGet, "/metrics", nil)
			req.Header.Set("Accept", accept)
			w := discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				f.x.ServeHTTP(w, req)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(f.refs)), "ns/sample")
		})
	}
}

func BenchmarkSweep(b *testing.B) {
	f := fill(b, 588)
	for b.Loop() {
		f.x.Sweep(time.Now())
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(f.refs)), "ns/series")
}
