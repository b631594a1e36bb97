package payload

import (
	"fmt"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// instance adds one with all its points.
func (f *Fleet) instance(kind Kind, n int, start pcommon.Timestamp) {
	rm := f.metrics.ResourceMetrics().AppendEmpty()
	describe(rm.Resource().Attributes(), n)
	// No scope name: some ways would make labels of it and others not.
	metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
	if kind == Exponential {
		f.exponentials(duration(metrics.AppendEmpty()), start)
	} else {
		f.explicits(duration(metrics.AppendEmpty()), start)
	}
	f.orders(metrics.AppendEmpty(), start)
	f.depths(metrics.AppendEmpty())
}

func describe(attrs pcommon.Map, n int) {
	attrs.EnsureCapacity(resourceAttrs)
	put(attrs,
		"service.name", "checkout", "service.namespace", "shop", "service.instance.id", fmt.Sprintf("checkout-%04d", n),
		"service.version", "2.14.3", "deployment.environment.name", "production", "cloud.region", "eu-central-1",
		"host.name", "node-"+strconv.Itoa(n/8), "os.type", "linux", "k8s.namespace.name", "shop",
		"k8s.pod.name", fmt.Sprintf("checkout-7c9d8-%04d", n), "telemetry.sdk.language", "go", "telemetry.sdk.version", "1.47.0")
}

func duration(m pmetric.Metric) pmetric.Metric {
	m.SetName("http.server.request.duration")
	m.SetUnit("s")
	m.SetDescription("Duration of HTTP server requests.")
	return m
}

// route describes one of the routes of an instance; every third has failed, which is an eighth attribute.
func route(attrs pcommon.Map, i int) {
	put(attrs,
		"http.request.method", []string{"GET", "POST", "PUT"}[i%3], "http.route", "/api/v1/resource-"+strconv.Itoa(i)+"/{id}",
		"url.scheme", "https", "network.protocol.name", "http", "network.protocol.version", "1.1", "server.address", "shop.example.com")
	if i%3 == 0 {
		attrs.PutInt("http.response.status_code", 503)
		attrs.PutStr("error.type", "503")
		return
	}
	attrs.PutInt("http.response.status_code", 200)
}

func (f *Fleet) explicits(m pmetric.Metric, start pcommon.Timestamp) {
	h := m.SetEmptyHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for i := range Histograms {
		p := h.DataPoints().AppendEmpty()
		route(p.Attributes(), i)
		p.SetStartTimestamp(start)
		p.ExplicitBounds().FromRaw([]float64{.005, .01, .025, .05, .075, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10})
		p.BucketCounts().FromRaw(make([]uint64, Bounds+1))
		f.exemplify(p.Exemplars(), i)
		f.explicit = append(f.explicit, p)
	}
}

func (f *Fleet) exponentials(m pmetric.Metric, start pcommon.Timestamp) {
	h := m.SetEmptyExponentialHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for i := range Histograms {
		p := h.DataPoints().AppendEmpty()
		route(p.Attributes(), i)
		p.SetStartTimestamp(start)
		p.SetScale(4)
		p.Positive().SetOffset(-110) // 2^(-110/16) is 8.5 ms
		counts := make([]uint64, exponentialBuckets)
		for j := range counts {
			counts[j] = uint64(j%11) + 1
			p.SetCount(p.Count() + counts[j])
		}
		p.Positive().BucketCounts().FromRaw(counts)
		p.SetSum(0.03 * float64(p.Count()))
		f.exemplify(p.Exemplars(), i)
		f.exponential = append(f.exponential, p)
	}
}

// exemplify adds a fast and a slow one, which are in different buckets.
func (f *Fleet) exemplify(to pmetric.ExemplarSlice, point int) {
	if point%exemplarEvery != 0 {
		return
	}
	to.EnsureCapacity(exemplarsPerPoint) // or the second would move the first away from what is kept of it
	for i := range exemplarsPerPoint {
		e := to.AppendEmpty()
		e.SetDoubleValue([]float64{0.021, 0.084}[i])
		f.exemplars = append(f.exemplars, e)
	}
}

func (f *Fleet) orders(m pmetric.Metric, start pcommon.Timestamp) {
	m.SetName("shop.orders")
	m.SetDescription("Orders by payment and outcome.")
	s := m.SetEmptySum()
	s.SetIsMonotonic(true)
	s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	for i := range Counters {
		p := s.DataPoints().AppendEmpty()
		put(p.Attributes(), "shop.payment", "provider-"+strconv.Itoa(i/4), "shop.outcome", []string{"paid", "declined", "expired", "refunded"}[i%4],
			"shop.currency", "EUR", "shop.channel", "web")
		p.SetStartTimestamp(start)
		f.counters = append(f.counters, p)
	}
}

func (f *Fleet) depths(m pmetric.Metric) {
	m.SetName("shop.queue.depth")
	m.SetDescription("Messages that wait.")
	g := m.SetEmptyGauge()
	for i := range Gauges {
		p := g.DataPoints().AppendEmpty()
		put(p.Attributes(), "shop.queue", "queue-"+strconv.Itoa(i), "shop.partition", strconv.Itoa(i%3))
		f.gauges = append(f.gauges, p)
	}
}

func put(attrs pcommon.Map, pairs ...string) {
	for i := 0; i < len(pairs); i += 2 {
		attrs.PutStr(pairs[i], pairs[i+1])
	}
}
