package check_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/annotations"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// prometheus is Prometheus' own storage and query engine behind the three requests that check makes. What it says about
// a query is what a server says.
type prometheus struct {
	t      *testing.T
	db     *tsdb.DB
	engine *promql.Engine
	URL    string
	hidden atomic.Pointer[[]string] // series names that the server denies to have
}

// hide makes the server deny the metrics until the next call.
func (p *prometheus) hide(metrics ...telemetry.Metric) {
	var names []string
	for _, m := range metrics {
		names = append(names, telemetry.DefaultNaming.Series(m)...)
	}
	p.hidden.Store(&names)
}

// Querier makes the server itself a storage: the database without what is hidden.
func (p *prometheus) Querier(from, to int64) (storage.Querier, error) {
	q, err := p.db.Querier(from, to)
	return partial{q, p.hidden.Load()}, err
}

// partial is a querier without the hidden series.
type partial struct {
	storage.Querier
	hidden *[]string
}

func (q partial) hides(matchers []*labels.Matcher) bool {
	return q.hidden != nil && slices.ContainsFunc(matchers, func(m *labels.Matcher) bool {
		return m.Name == model.MetricNameLabel && slices.Contains(*q.hidden, m.Value)
	})
}

func (q partial) Select(ctx context.Context, sorted bool, hints *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
	if q.hides(matchers) {
		return storage.EmptySeriesSet()
	}
	return q.Querier.Select(ctx, sorted, hints, matchers...)
}

func (q partial) LabelValues(ctx context.Context, name string, hints *storage.LabelHints, matchers ...*labels.Matcher) ([]string, annotations.Annotations, error) {
	if q.hides(matchers) {
		return nil, nil, nil
	}
	return q.Querier.LabelValues(ctx, name, hints, matchers...)
}

func startPrometheus(t *testing.T) *prometheus {
	t.Helper()
	db, err := tsdb.Open(t.TempDir(), nil, nil, tsdb.DefaultOptions(), nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &prometheus{t: t, db: db, engine: promql.NewEngine(promql.EngineOpts{
		MaxSamples: 50_000_000, Timeout: time.Minute, LookbackDelta: 5 * time.Minute, Parser: parser.NewParser(parser.Options{}),
		EnableAtModifier: true, EnableNegativeOffset: true,
	})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /api/v1/query_range", p.queryRange)
	mux.HandleFunc("POST /api/v1/query", p.query)
	mux.HandleFunc("GET /api/v1/label/{label}/values", p.labelValues)
	server := httptest.NewServer(mux)
	p.URL = server.URL
	t.Cleanup(func() {
		server.Close()
		if err := errors.Join(p.engine.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	return p
}

func answer(w http.ResponseWriter, data any, err error) {
	body := map[string]any{"status": "success", "data": data}
	if err != nil {
		body = map[string]any{"status": "error", "errorType": "bad_data", "error": err.Error()}
		w.WriteHeader(http.StatusBadRequest)
	}
	_ = json.NewEncoder(w).Encode(body)
}

func timeOf(s string) time.Time {
	f, _ := strconv.ParseFloat(s, 64)
	return time.UnixMilli(int64(f * 1000))
}

func (p *prometheus) queryRange(w http.ResponseWriter, r *http.Request) {
	step, _ := strconv.ParseFloat(r.PostFormValue("step"), 64)
	q, err := p.engine.NewRangeQuery(r.Context(), p, nil, r.PostFormValue("query"), timeOf(r.PostFormValue("start")),
		timeOf(r.PostFormValue("end")), time.Duration(step*float64(time.Second)))
	p.run(w, r, q, err)
}

func (p *prometheus) query(w http.ResponseWriter, r *http.Request) {
	q, err := p.engine.NewInstantQuery(r.Context(), p, nil, r.PostFormValue("query"), timeOf(r.PostFormValue("time")))
	p.run(w, r, q, err)
}

func (p *prometheus) run(w http.ResponseWriter, r *http.Request, q promql.Query, err error) {
	if err != nil {
		answer(w, nil, err)
		return
	}
	defer q.Close()
	res := q.Exec(r.Context())
	if res.Err != nil {
		answer(w, nil, res.Err)
		return
	}
	p.noWarnings(q.String(), res.Warnings)
	answer(w, map[string]any{"resultType": res.Value.Type(), "result": res.Value}, nil)
}

// noWarnings fails on what the engine finds odd in a query although it answers: quantile of a wrong kind, mixed samples.
func (p *prometheus) noWarnings(query string, ws annotations.Annotations) {
	warnings, _ := ws.AsStrings(query, 5, 0)
	if len(warnings) > 0 {
		p.t.Errorf("%s: %s", query, strings.Join(warnings, "; "))
	}
}

func (p *prometheus) labelValues(w http.ResponseWriter, r *http.Request) {
	querier, err := p.Querier(timeOf(r.FormValue("start")).UnixMilli(), timeOf(r.FormValue("end")).UnixMilli())
	if err != nil {
		answer(w, nil, err)
		return
	}
	defer func() { _ = querier.Close() }()
	var matchers []*labels.Matcher
	if selector := r.FormValue("match[]"); selector != "" {
		if matchers, err = parser.NewParser(parser.Options{}).ParseMetricSelector(selector); err != nil {
			answer(w, nil, err)
			return
		}
	}
	values, _, err := querier.LabelValues(r.Context(), r.PathValue("label"), &storage.LabelHints{}, matchers...)
	slices.Sort(values)
	if values == nil {
		values = []string{}
	}
	answer(w, values, err)
}

// written is one series and its sample at the n-th export.
type written struct {
	labels    labels.Labels
	value     func(n int) float64
	histogram func(n int) *histogram.FloatHistogram
}

// write stores samples of each series at every step from from to to.
func (p *prometheus) write(all []written, from, to time.Time, step time.Duration) {
	p.t.Helper()
	n := 0
	for at := from; !at.After(to); at = at.Add(step) {
		app := p.db.AppenderV2(context.Background())
		for _, s := range all {
			var v float64
			var h *histogram.FloatHistogram
			if s.histogram != nil {
				h = s.histogram(n)
			} else {
				v = s.value(n)
			}
			if _, err := app.Append(0, s.labels, 0, at.UnixMilli(), v, nil, h, storage.AppendV2Options{}); err != nil {
				p.t.Fatalf("%s: %v", s.labels, err)
			}
		}
		if err := app.Commit(); err != nil {
			p.t.Fatal(err)
		}
		n++
	}
}
