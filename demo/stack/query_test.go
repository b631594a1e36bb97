package stack

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
)

// api answers each query that contains the key with the value.
type api map[string]string

func (a api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/metrics" {
		_, _ = fmt.Fprint(w, "# HELP prometheus_tsdb_head_series Total.\nprometheus_tsdb_head_series 12\n"+
			"prometheus_tsdb_head_samples_appended_total{type=\"float\"} 100\nprometheus_tsdb_head_samples_appended_total{type=\"histo gram\"} 1.5e+01\nother 1\n")
		return
	}
	query := r.FormValue("query")
	for key, value := range a {
		if strings.Contains(query, key) {
			_, _ = fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,%q]}]}}`, value)
			return
		}
	}
	_, _ = fmt.Fprint(w, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
}

func ask(t *testing.T, h http.Handler) *store {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	started := time.Unix(1_800_000_000, 0)
	s := newStore(server.URL, started)
	s.now = func() time.Time { return started.Add(90 * time.Second) }
	t.Cleanup(s.close)
	return s
}

func TestSnapshot(t *testing.T) {
	s := ask(t, api{
		"sum(last_over_time(otelcol_receiver_accepted_spans_total[90000ms]))":               "500",
		"sum(rate(otelcol_receiver_accepted_spans_total[30000ms]))":                         "12.5",
		"otelcol_processor_tail_sampling_spans_received_total":                              "480",
		"otelcol_processor_tail_sampling_spans_recovered_total":                             "20",
		"otelcol_processor_tail_sampling_spans_kept_total":                                  "100",
		"sum(last_over_time(otelcol_processor_tail_sampling_spans_dropped_total[90000ms]))": "400",
		`{decision="sampled"}`: "7",
	})
	snap, err := s.snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if snap.Spans != (Balance{In: 480, Recovered: 20, Kept: 100, Dropped: 400}) || !snap.Spans.Balanced() || snap.SpansAccepted != 500 {
		t.Errorf("spans are %+v", snap.Spans)
	}
	if snap.SpanRate != 12.5 || snap.TracesKept != 7 || snap.TracesDropped != 0 || snap.Requests != 0 {
		t.Errorf("snapshot is %+v", snap)
	}
	if snap.Samples != 115 || snap.Series != 12 {
		t.Errorf("%v samples, %v series", snap.Samples, snap.Series)
	}
	later := Snapshot{At: snap.At.Add(10 * time.Second), Samples: 215}
	if later.rateSince(snap); later.SampleRate != 10 {
		t.Errorf("sample rate %v", later.SampleRate)
	}
	if later.rateSince(later); later.SampleRate != 10 {
		t.Errorf("a rate over no time is %v", later.SampleRate)
	}
}

func TestLosses(t *testing.T) {
	s := ask(t, api{"otelcol_receiver_refused_log_records_total": "1500"})
	lines, err := s.losses(t.Context())
	if err != nil || len(lines) != 1 || lines[0] != "1,500 log records refused on arrival" {
		t.Errorf("losses %q, %v", lines, err)
	}
}

func TestStoreThatFails(t *testing.T) {
	for name, tc := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"error of the query": {func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprint(w, `{"status":"error","error":"parse error"}`)
		}, "parse error"},
		"not JSON":     {func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>") }, "not JSON"},
		"not a number": {api{"sum": "many"}.ServeHTTP, `value "many"`},
		"unavailable":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "503"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ask(t, tc.answer).snapshot(t.Context()); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestQueriesAreValid(t *testing.T) {
	texts := []string{}
	for _, q := range queries {
		texts = append(texts, q.text)
	}
	for _, l := range lossQueries {
		texts = append(texts, l.text)
	}
	r := strings.NewReplacer("$run", "1000ms", "$window", "30000ms")
	p := parser.NewParser(parser.Options{})
	for _, text := range texts {
		if _, err := p.ParseExpr(r.Replace(text)); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}
