package prometheusexporter_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"syscall"
	"testing"
	"time"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusexporter"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/tailgate-otel/tailgate/exporters/prometheusexporter"
)

// BenchmarkExportAndScrape takes the CPU time of the process for one export and one scrape of it, per sample on the page.
// The client, which reads and discards, is in the figures of both.
func BenchmarkExportAndScrape(b *testing.B) {
	for _, kind := range []string{"classic", "exponential"} {
		for _, instances := range []int{10, 100} {
			for _, format := range []struct{ name, accept string }{
				{"openmetrics", acceptOpenMetrics}, {"protobuf", acceptProtobuf},
			} {
				if kind == "exponential" && format.name != "protobuf" {
					continue // text has no native histograms
				}
				for _, encoding := range []string{"identity", "gzip"} {
					for _, engine := range []string{"contrib", "ours"} {
						name := fmt.Sprintf("kind=%s/instances=%d/format=%s/encoding=%s/engine=%s", kind, instances, format.name, encoding, engine)
						b.Run(name, func(b *testing.B) { exportAndScrape(b, engine, kind, instances, format.accept, encoding) })
					}
				}
			}
		}
	}
}

// export gives e the metrics of 100 instances, which nobody holds any more when it returns.
func export(b *testing.B, e *running, kind string) (samples int) {
	b.Helper()
	md, samples := fleet(kind, 100)
	setTimes(md, time.Now())
	require.NoError(b, e.ConsumeMetrics(b.Context(), md))
	return samples
}

func exportAndScrape(b *testing.B, engine, kind string, instances int, accept, encoding string) {
	config := map[string]any{"enable_open_metrics": true, "without_scope_info": true}
	factory := contrib.NewFactory()
	if engine == "ours" {
		factory = prometheusexporter.NewFactory()
		config["compression"] = "always"
	}
	e := start(b, factory, config)
	md, samples := fleet(kind, instances)
	at := time.Now().Add(-time.Hour)
	next := func() pmetric.Metrics {
		own := pmetric.NewMetrics()
		md.CopyTo(own)
		at = at.Add(10 * time.Second)
		setTimes(own, at)
		return own
	}
	scrape := func() int64 {
		req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://exporter/metrics", nil)
		require.NoError(b, err)
		req.Header.Set("Accept", accept)
		req.Header.Set("User-Agent", "Prometheus/3.14.0")
		req.Header.Set("Accept-Encoding", encoding)
		resp, err := e.client.Do(req)
		require.NoError(b, err)
		defer resp.Body.Close()
		n, err := io.Copy(io.Discard, resp.Body)
		require.NoError(b, err)
		return n
	}
	require.NoError(b, e.ConsumeMetrics(b.Context(), next()))
	size := scrape()

	var cpu time.Duration
	var memory, before, after runtime.MemStats
	for b.Loop() {
		b.StopTimer()
		own := next()
		runtime.GC() // what the payload leaves is not the exporter's
		runtime.ReadMemStats(&before)
		began := processTime(b)
		b.StartTimer()
		require.NoError(b, e.ConsumeMetrics(b.Context(), own))
		scrape()
		b.StopTimer()
		cpu += processTime(b) - began
		runtime.ReadMemStats(&after)
		memory.Mallocs += after.Mallocs - before.Mallocs
		b.StartTimer()
	}
	total := float64(b.N) * float64(samples)
	b.ReportMetric(float64(cpu.Nanoseconds())/total, "cpu-ns/sample")
	b.ReportMetric(float64(memory.Mallocs)/total, "allocs/sample")
	b.ReportMetric(float64(size)/float64(samples), "B/sample")
	b.ReportMetric(0, "ns/op") // wall time of two goroutines on a shared machine says nothing
}

func processTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// fleet is the export of some instances of a service: 24 histograms of 14 bounds or exponential ones of 60 buckets, 60
// counters, 30 gauges and 12 resource attributes each. samples counts the lines of a page: 17 for a classic histogram.
func fleet(kind string, instances int) (md pmetric.Metrics, samples int) {
	md = pmetric.NewMetrics()
	for instance := range instances {
		rm := md.ResourceMetrics().AppendEmpty()
		attrs := rm.Resource().Attributes()
		attrs.PutStr("service.name", "shop")
		attrs.PutStr("service.instance.id", fmt.Sprintf("pod-%04d", instance))
		for i := range 10 {
			attrs.PutStr(fmt.Sprintf("host.attribute.%d", i), fmt.Sprintf("value-%d-%d", instance, i))
		}
		metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
		histograms(metrics.AppendEmpty(), kind)
		counters := metrics.AppendEmpty()
		counters.SetName("rpc.client.requests")
		counters.SetEmptySum().SetIsMonotonic(true)
		counters.Sum().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for i := range 60 {
			numberPoint(counters.Sum().DataPoints().AppendEmpty(), i)
		}
		gauges := metrics.AppendEmpty()
		gauges.SetName("pool.used")
		gauges.SetEmptyGauge()
		for i := range 30 {
			numberPoint(gauges.Gauge().DataPoints().AppendEmpty(), i)
		}
	}
	if kind == "classic" {
		return md, instances * (24*17 + 60 + 30 + 1)
	}
	return md, instances * (24 + 60 + 30 + 1)
}

func numberPoint(p pmetric.NumberDataPoint, i int) {
	for _, key := range []string{"rpc.service", "rpc.method", "server.address", "error.type"} {
		p.Attributes().PutStr(key, fmt.Sprintf("%s-%d", key, i))
	}
	p.SetStartTimestamp(1e18)
	p.SetDoubleValue(float64(i) * 1234.5)
}

func histograms(m pmetric.Metric, kind string) {
	m.SetName("http.server.request.duration")
	m.SetUnit("s")
	m.SetDescription("Duration of HTTP server requests.")
	attributes := func(to pcommon.Map, i int) {
		for _, key := range []string{"http.route", "url.scheme", "network.protocol.name", "network.protocol.version", "server.address"} {
			to.PutStr(key, fmt.Sprintf("/%s/%d", key, i))
		}
		to.PutStr("http.request.method", "GET")
		to.PutInt("http.response.status_code", 200)
	}
	if kind == "classic" {
		m.SetEmptyHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
		for i := range 24 {
			p := m.Histogram().DataPoints().AppendEmpty()
			attributes(p.Attributes(), i)
			p.ExplicitBounds().FromRaw([]float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10})
			p.BucketCounts().FromRaw([]uint64{1, 22, 333, 4444, 55555, 666, 7777, 888, 99, 10, 11, 12, 13, 14, 15})
			p.SetCount(69864)
			p.SetSum(1234.5678)
			p.SetStartTimestamp(1e18)
			if i%4 == 0 {
				benchExemplar(p.Exemplars().AppendEmpty(), 0.03)
				benchExemplar(p.Exemplars().AppendEmpty(), 3)
			}
		}
		return
	}
	m.SetEmptyExponentialHistogram().SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for i := range 24 {
		p := m.ExponentialHistogram().DataPoints().AppendEmpty()
		attributes(p.Attributes(), i)
		p.SetScale(4)
		p.Positive().SetOffset(-60)
		counts := make([]uint64, 60)
		for j := range counts {
			counts[j] = uint64(j * j % 97)
			p.SetCount(p.Count() + counts[j])
		}
		p.Positive().BucketCounts().FromRaw(counts)
		p.SetSum(1234.5678)
		p.SetStartTimestamp(1e18)
		if i%4 == 0 {
			benchExemplar(p.Exemplars().AppendEmpty(), 0.03)
		}
	}
}

func benchExemplar(e pmetric.Exemplar, v float64) {
	e.SetDoubleValue(v)
	e.SetTimestamp(1.7e18)
	e.SetTraceID(pcommon.TraceID{1, 2, 3})
	e.SetSpanID(pcommon.SpanID{4, 5})
}

func setTimes(md pmetric.Metrics, at time.Time) {
	now := pcommon.NewTimestampFromTime(at)
	for _, rm := range md.ResourceMetrics().All() {
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			switch m.Type() {
			case pmetric.MetricTypeSum:
				setPoints(m.Sum().DataPoints(), now)
			case pmetric.MetricTypeGauge:
				setPoints(m.Gauge().DataPoints(), now)
			case pmetric.MetricTypeHistogram:
				for _, p := range m.Histogram().DataPoints().All() {
					p.SetTimestamp(now)
				}
			case pmetric.MetricTypeExponentialHistogram:
				for _, p := range m.ExponentialHistogram().DataPoints().All() {
					p.SetTimestamp(now)
				}
			}
		}
	}
}

func setPoints(points pmetric.NumberDataPointSlice, now pcommon.Timestamp) {
	for _, p := range points.All() {
		p.SetTimestamp(now)
	}
}

// BenchmarkHeld takes the memory that an exporter holds per sample on the page, translation included.
func BenchmarkHeld(b *testing.B) {
	for _, kind := range []string{"classic", "exponential"} {
		for _, engine := range []string{"contrib", "ours"} {
			b.Run(fmt.Sprintf("kind=%s/engine=%s", kind, engine), func(b *testing.B) {
				factory := contrib.NewFactory()
				if engine == "ours" {
					factory = prometheusexporter.NewFactory()
				}
				for b.Loop() {
					e := start(b, factory, map[string]any{"enable_open_metrics": true})
					before := heap()
					samples := export(b, e, kind)
					e.get(b, acceptProtobuf)
					b.ReportMetric(float64(heap()-before)/float64(samples), "B/sample")
					runtime.KeepAlive(e)
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

func heap() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
