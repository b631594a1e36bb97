package scraping_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/discovery"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/scraping"
)

func start(t *testing.T, db *tsdb.DB, own *prometheus.Registry) *scraping.Scraper {
	t.Helper()
	registry := prometheus.NewRegistry()
	sd, err := discovery.CreateAndRegisterSDMetrics(registry)
	require.NoError(t, err)
	inside := scraping.NewInside(own)
	scraper, err := scraping.Start(scraping.Settings{
		Sink: db, Registerer: registry, Logger: slog.New(slog.DiscardHandler), Discovery: sd, Dial: inside.Dial,
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		scraper.Stop()
		assert.NoError(t, inside.Close())
	})
	return scraper
}

func open(t *testing.T) *tsdb.DB {
	t.Helper()
	opts := tsdb.DefaultOptions()
	opts.EnableExemplarStorage, opts.MaxExemplars = true, 100
	db, err := tsdb.Open(t.TempDir(), nil, nil, opts, nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

func load(t *testing.T, yaml string) *config.Config {
	t.Helper()
	cfg, err := config.Load(yaml, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	return cfg
}

// last returns the newest value of the only series with these labels.
func last(t *testing.T, db *tsdb.DB, pairs ...string) (v float64, ok bool) {
	t.Helper()
	q, err := db.Querier(0, time.Now().Add(time.Hour).UnixMilli())
	require.NoError(t, err)
	defer q.Close()
	var matchers []*labels.Matcher
	for i := 0; i < len(pairs); i += 2 {
		matchers = append(matchers, labels.MustNewMatcher(labels.MatchEqual, pairs[i], pairs[i+1]))
	}
	set := q.Select(context.Background(), false, nil, matchers...)
	for set.Next() {
		it := set.At().Iterator(nil)
		for it.Next() == chunkenc.ValFloat {
			_, v = it.At()
			ok = true
		}
	}
	require.NoError(t, set.Err())
	return v, ok
}

func TestOwnMetricsAndATargetArriveAndGoStale(t *testing.T) {
	own := prometheus.NewRegistry()
	own.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "own_gauge"}, func() float64 { return 7 }))
	theirs := prometheus.NewRegistry()
	theirs.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "their_gauge"}, func() float64 { return 8 }))
	target := httptest.NewServer(promhttp.HandlerFor(theirs, promhttp.HandlerOpts{}))
	defer target.Close()

	db := open(t)
	scraper := start(t, db, own)
	jobs := `
scrape_configs:
  - job_name: store
    scrape_interval: 100ms
    scrape_timeout: 100ms
    static_configs: [{targets: ["` + scraping.InsideAddress + `"], labels: {instance: "localhost:9090"}}]
`
	require.NoError(t, scraper.Apply(load(t, jobs+`
  - job_name: app
    scrape_interval: 100ms
    scrape_timeout: 100ms
    static_configs: [{targets: ["`+strings.TrimPrefix(target.URL, "http://")+`"]}]
`)))
	require.Eventually(t, func() bool {
		v, ok := last(t, db, "__name__", "own_gauge", "job", "store", "instance", "localhost:9090")
		w, found := last(t, db, "__name__", "their_gauge", "job", "app")
		return ok && v == 7 && found && w == 8
	}, 20*time.Second, 20*time.Millisecond)
	up, _ := last(t, db, "__name__", "up", "job", "app")
	assert.InDelta(t, 1, up, 0)
	assert.Len(t, scraper.TargetsActive()["app"], 1)

	// A target that is gone ends its series.
	require.NoError(t, scraper.Apply(load(t, jobs+`
  - job_name: app
    scrape_interval: 100ms
    scrape_timeout: 100ms
    static_configs: [{targets: []}]
`)))
	require.Eventually(t, func() bool {
		v, _ := last(t, db, "__name__", "their_gauge", "job", "app")
		return value.IsStaleNaN(v)
	}, 20*time.Second, 20*time.Millisecond)
}

func TestADeadTargetIsDownAndTheOthersGoOn(t *testing.T) {
	dead := httptest.NewServer(http.NotFoundHandler())
	address := strings.TrimPrefix(dead.URL, "http://")
	dead.Close()
	db := open(t)
	scraper := start(t, db, prometheus.NewRegistry())
	require.NoError(t, scraper.Apply(load(t, `
scrape_configs:
  - job_name: dead
    scrape_interval: 100ms
    scrape_timeout: 100ms
    static_configs: [{targets: ["`+address+`"]}]
  - job_name: store
    scrape_interval: 100ms
    scrape_timeout: 100ms
    static_configs: [{targets: ["`+scraping.InsideAddress+`"]}]
`)))
	require.Eventually(t, func() bool {
		down, ok := last(t, db, "__name__", "up", "job", "dead")
		up, found := last(t, db, "__name__", "up", "job", "store")
		return ok && down == 0 && found && up == 1
	}, 20*time.Second, 20*time.Millisecond)
}
