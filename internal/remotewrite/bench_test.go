//go:build unix

package remotewrite

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/require"
)

// instanceSeries are the series of service instances as an OTLP SDK reports them: 24 histograms of 17 series, 60 counters,
// 30 gauges, which makes 498 each.
func instanceSeries(n int) []labels.Labels {
	var out []labels.Labels
	add := func(instance int, name string, more ...string) {
		out = append(out, labels.FromStrings(append([]string{
			"__name__", name, "instance", fmt.Sprintf("shop-%04d", instance), "job", "shop/frontend",
			"http_request_method", "GET", "server_address", "shop.example", "server_port", "443", "url_scheme", "https",
		}, more...)...))
	}
	for i := range n {
		for h := range 24 {
			route := fmt.Sprintf("/api/v1/resource%d/{id}", h)
			for le := range 15 {
				add(i, "http_server_request_duration_seconds_bucket", "http_route", route, "le", strconv.FormatFloat(float64(le)*0.25, 'g', -1, 64))
			}
			add(i, "http_server_request_duration_seconds_sum", "http_route", route)
			add(i, "http_server_request_duration_seconds_count", "http_route", route)
		}
		for c := range 60 {
			add(i, "orders_processed_total", "queue", strconv.Itoa(c))
		}
		for g := range 30 {
			add(i, "queue_length", "queue", strconv.Itoa(g))
		}
	}
	return out
}

// acknowledge is a server that costs as little as a server can.
func acknowledge(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set(writtenSamples, "1000000")
	w.WriteHeader(http.StatusNoContent)
}

func benchConfig(b *testing.B, url string, message Message) Config {
	return Config{
		URL: url, Client: http.DefaultClient, Directory: b.TempDir(), SendExemplars: true, Message: message,
		Queue: config.QueueConfig{MinShards: 2, MaxShards: 2, BatchSendDeadline: model.Duration(10 * time.Millisecond)},
	}
}

// BenchmarkSend measures a sample's whole way: append by reference, journal, request, HTTP over loopback, and a server that
// does nothing but read; both ends are in the figures.
func BenchmarkSend(b *testing.B) {
	for _, message := range []Message{V2, V1} {
		for _, instances := range []int{10, 100} {
			b.Run(fmt.Sprintf("message=%s/series=%d", message, instances*498), func(b *testing.B) {
				server := httptest.NewServer(http.HandlerFunc(acknowledge))
				defer server.Close()
				s := open(b, benchConfig(b, server.URL, message), nil)
				all := instanceSeries(instances)
				refs := make([]storage.SeriesRef, len(all))
				at := time.Now().UnixMilli()
				export(b, s, all, refs, at) // the first is the dear one
				empty := func() bool { return s.metrics.out.Load() == s.metrics.in.Load() }
				poll(b, time.Minute, empty, func() {})
				begin, cpu := time.Now(), cpuTime(b)
				for b.Loop() {
					at += 15_000
					export(b, s, all, refs, at)
				}
				poll(b, time.Minute, empty, func() {})
				samples := float64(b.N) * float64(len(all))
				b.ReportMetric(float64(time.Since(begin).Nanoseconds())/samples, "wall-ns/sample")
				b.ReportMetric(float64((cpuTime(b)-cpu).Nanoseconds())/samples, "cpu-ns/sample")
			})
		}
	}
}

// cpuTime is what the process has used, on all cores.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func export(b *testing.B, s *Sender, all []labels.Labels, refs []storage.SeriesRef, at int64) {
	app := s.AppenderV2(b.Context())
	opts := storage.AppendV2Options{MetricFamilyName: "shop", Metadata: metadata.Metadata{Type: model.MetricTypeCounter, Help: "help"}}
	for i, ls := range all {
		if refs[i] != 0 {
			ls = labels.EmptyLabels()
		}
		ref, err := app.Append(refs[i], ls, at-600_000, at, float64(at/1000+int64(i))+0.25, nil, nil, opts)
		if err != nil {
			b.Fatal(err)
		}
		refs[i] = ref
	}
	require.NoError(b, app.Commit())
}

// BenchmarkQueue measures what the caller pays: append and Commit. The server is away.
func BenchmarkQueue(b *testing.B) {
	for _, instances := range []int{10, 100} {
		b.Run(fmt.Sprintf("series=%d", instances*498), func(b *testing.B) {
			server := httptest.NewServer(http.NotFoundHandler())
			defer server.Close()
			cfg := benchConfig(b, server.URL, V2)
			cfg.MaxBytes = 256 << 20
			s := open(b, cfg, nil)
			all := instanceSeries(instances)
			refs := make([]storage.SeriesRef, len(all))
			at := time.Now().UnixMilli()
			export(b, s, all, refs, at)
			first := s.journal.Bytes()
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				at += 15_000
				export(b, s, all, refs, at)
				if n++; n == 1 {
					b.ReportMetric(float64(s.journal.Bytes()-first)/float64(len(all)), "B/sample")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(all)), "ns/sample")
		})
	}
}
