package viewer_test

import (
	"context"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/features"
	v1 "github.com/prometheus/prometheus/web/api/v1"
)

// The store of these tests is a real TSDB behind Prometheus' own HTTP API, filled with half an hour of a made-up gateway:
// four routes on two instances, a fault of some minutes, native and classic histograms, exemplars.

const (
	sampleInterval = 5 * time.Second
	history        = 45 * time.Minute
	// Samples reach into the future, so that a slow test still finds some of the last seconds.
	ahead = 10 * time.Minute
)

var routes = []struct {
	name   string
	weight float64 // requests per second at noon
	median float64 // seconds
}{
	{"/api/cart", 8, 0.035},
	{"/api/checkout", 3, 0.180},
	{"/api/products/{id}", 14, 0.022},
	{"/static/*", 22, 0.004},
}

func openStore(t *testing.T) *tsdb.DB {
	t.Helper()
	opts := tsdb.DefaultOptions()
	opts.EnableExemplarStorage = true
	opts.MaxExemplars = 10_000
	db, err := tsdb.Open(t.TempDir(), slog.New(slog.DiscardHandler), nil, opts, nil)
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return db
}

// prometheusAPI mounts upstream's HTTP API. What a dashboard never asks for (targets, rules, alerts) is left nil.
func prometheusAPI(db *tsdb.DB) http.Handler {
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples: 50_000_000, Timeout: time.Minute, EnableAtModifier: true, EnableNegativeOffset: true, LookbackDelta: 5 * time.Minute,
		Parser: parser.NewParser(parser.Options{}),
	})
	logger := slog.New(slog.DiscardHandler)
	registry := prometheus.NewRegistry()
	api := v1.NewAPI(engine, db, nil, nil, db, nil, nil, nil,
		func() config.Config { return config.Config{} }, nil, v1.GlobalURLOptions{},
		func(next http.HandlerFunc) http.HandlerFunc { return next },
		nil, "", false, false, 0, logger, nil, 0, 1, 1<<20, false, nil, nil, &v1.PrometheusVersion{}, nil, nil,
		registry, registry, nil, false, nil, false, false, false, false, 5*time.Minute, false, false, nil,
		features.NewRegistry(), v1.OpenAPIOptions{}, parser.NewParser(parser.Options{}))
	router := route.New()
	api.Register(router.WithPrefix("/api/v1"))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The page is of the same origin; upstream would compare the header with a pattern that this test has no use for.
		r.Header.Del("Origin")
		router.ServeHTTP(w, r)
	})
}

// traffic is the made-up gateway; its randomness has a fixed seed, so that two runs draw the same picture.
type traffic struct {
	random   *rand.Rand
	appender storage.AppenderV2
	server   map[string]*tally // by instance, route and status
	client   map[string]*tally // by instance
	cpu      map[string]float64
	traces   int
}

func fill(t *testing.T, db *tsdb.DB, now time.Time) {
	t.Helper()
	g := &traffic{
		random:   rand.New(rand.NewPCG(7, 11)),
		appender: db.AppenderV2(context.Background()),
		server:   map[string]*tally{},
		client:   map[string]*tally{},
		cpu:      map[string]float64{},
	}
	for at := now.Add(-history); !at.After(now.Add(ahead)); at = at.Add(sampleInterval) {
		if err := g.step(at, now.Sub(at)); err != nil {
			t.Fatalf("fill the store: %v", err)
		}
	}
	if err := g.appender.Commit(); err != nil {
		t.Fatalf("commit to the store: %v", err)
	}
}

// step adds one interval that ended `age` ago.
func (g *traffic) step(at time.Time, age time.Duration) error {
	day := 0.75 + 0.35*math.Sin(age.Minutes()/6)
	fault := age > 6*time.Minute && age < 11*time.Minute
	for _, instance := range []string{"gw-0", "gw-1"} {
		for _, r := range routes {
			if err := g.serve(at, instance, r.name, r.weight*day, r.median, fault); err != nil {
				return err
			}
		}
		if err := g.gauges(at, instance, day, age, fault); err != nil {
			return err
		}
		if err := g.classic(at, instance); err != nil {
			return err
		}
	}
	return nil
}

func (g *traffic) serve(now time.Time, instance, routeName string, rate, median float64, fault bool) error {
	requests := int(rate*sampleInterval.Seconds()/2*(0.9+0.2*g.random.Float64())) + 1
	slowest := 0.0
	for range requests {
		seconds := median * math.Exp(0.55*g.random.NormFloat64())
		status := "200"
		switch {
		case fault && routeName == "/api/checkout" && g.random.Float64() < 0.35:
			status, seconds = "503", seconds*6
		case g.random.Float64() < 0.012:
			status = "404"
		}
		at(g.server, instance+routeName+status).observe(seconds)
		at(g.client, instance).observe(seconds * 0.8)
		slowest = max(slowest, seconds)
	}
	for _, status := range []string{"200", "404", "503"} {
		var exemplars []exemplar.Exemplar
		if status == "200" && g.random.Float64() < 0.12 {
			g.traces++
			exemplars = []exemplar.Exemplar{{
				Labels: labels.FromStrings("trace_id", traceID(g.traces), "span_id", traceID(g.traces)[:16]),
				Value:  slowest, Ts: now.UnixMilli() - 1, HasTs: true,
			}}
		}
		ls := labels.FromStrings("__name__", "http_server_request_duration_seconds", "job", "gateway", "instance", instance,
			"http_route", routeName, "http_request_method", "GET", "http_response_status_code", status)
		h := at(g.server, instance+routeName+status).native()
		if _, err := g.appender.Append(0, ls, 0, now.UnixMilli(), 0, h, nil, storage.AppendV2Options{Exemplars: exemplars}); err != nil {
			return err
		}
	}
	return nil
}

func (g *traffic) gauges(at time.Time, instance string, day float64, age time.Duration, fault bool) error {
	g.cpu[instance] += sampleInterval.Seconds() * (0.2*day + 0.03*g.random.Float64())
	sawtooth := math.Mod(age.Minutes()+3, 7) / 7
	samples := map[string]float64{
		"http_server_active_requests":           math.Round(9*day + 3*g.random.Float64()),
		"process_resident_memory_bytes":         (180 - 40*sawtooth + 4*g.random.Float64()) * (1 << 20),
		"process_cpu_seconds_total":             g.cpu[instance],
		"gateway_config_last_reload_successful": 1,
	}
	for name, value := range samples {
		if err := g.sample(at, value, "__name__", name, "job", "gateway", "instance", instance); err != nil {
			return err
		}
	}
	for upstream, endpoints := range map[string]float64{"cart": 3, "catalog": 4, "checkout": 3} {
		ejected := 0.0
		if fault && upstream == "checkout" {
			ejected = 2
		}
		for state, value := range map[string]float64{"healthy": endpoints - ejected, "ejected": ejected} {
			if err := g.sample(at, value, "__name__", "gateway_upstream_endpoints", "job", "gateway", "instance", instance,
				"gateway_upstream", upstream, "gateway_endpoint_state", state); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *traffic) classic(now time.Time, instance string) error {
	for _, bound := range []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, math.Inf(1)} {
		le := strconv.FormatFloat(bound, 'g', -1, 64)
		count := float64(at(g.client, instance).below(bound))
		if err := g.sample(now, count, "__name__", "http_client_request_duration_seconds_bucket", "job", "gateway", "instance", instance, "le", le); err != nil {
			return err
		}
	}
	return nil
}

func (g *traffic) sample(at time.Time, value float64, pairs ...string) error {
	_, err := g.appender.Append(0, labels.FromStrings(pairs...), 0, at.UnixMilli(), value, nil, nil, storage.AppendV2Options{})
	return err
}

// tally counts observations in buckets of a native histogram's schema 3: bounds grow by 2^(1/8).
type tally struct {
	buckets map[int]int64
	count   uint64
	sum     float64
}

const (
	schema        = 3
	bucketsPerTwo = 1 << schema
)

func at(all map[string]*tally, key string) *tally {
	if all[key] == nil {
		all[key] = &tally{buckets: map[int]int64{}}
	}
	return all[key]
}

func (c *tally) observe(v float64) {
	c.buckets[int(math.Ceil(math.Log2(v)*bucketsPerTwo))]++
	c.count++
	c.sum += v
}

// below counts what lies in buckets that end at or before the bound; precise enough for classic buckets to look at.
func (c *tally) below(bound float64) int64 {
	total := int64(0)
	for index, count := range c.buckets {
		if math.Exp2(float64(index)/bucketsPerTwo) <= bound {
			total += count
		}
	}
	return total
}

func (c *tally) native() *histogram.Histogram {
	h := &histogram.Histogram{Schema: schema, ZeroThreshold: 1e-9, Count: c.count, Sum: c.sum}
	next, previous := math.MinInt, int64(0)
	for _, index := range slices.Sorted(maps.Keys(c.buckets)) {
		switch {
		case len(h.PositiveSpans) == 0:
			h.PositiveSpans = append(h.PositiveSpans, histogram.Span{Offset: int32(index), Length: 1})
		case index == next:
			h.PositiveSpans[len(h.PositiveSpans)-1].Length++
		default:
			h.PositiveSpans = append(h.PositiveSpans, histogram.Span{Offset: int32(index - next), Length: 1})
		}
		h.PositiveBuckets = append(h.PositiveBuckets, c.buckets[index]-previous)
		next, previous = index+1, c.buckets[index]
	}
	return h
}

func traceID(n int) string {
	const prefix = "4bf92f3577b34da6a3ce929d0000"
	return prefix + strconv.FormatInt(int64(0x1000+n), 16)
}
