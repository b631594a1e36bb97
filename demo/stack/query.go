package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// query fills one number of a Snapshot. In its text
//
//	$run     is the age of this run: last_over_time(…[$run]) sees the last sample of processes that have ended, and none
//	         of an earlier run in the same data directory, whose counters would be added to ours
//	$window  is 30 s, or less while the run is younger
//
// A query without a result counts as 0.
type query struct {
	into func(*Snapshot) *float64
	text string
}

// queries is all that the status block and the summary ask the store. The names of the metrics are those of the
// contract in telemetry/ and of the pinned collector components, in Prometheus form.
var queries = []query{
	// the gateway
	{func(s *Snapshot) *float64 { return &s.Requests }, `sum(histogram_count(last_over_time(http_server_request_duration_seconds{job="gateway"}[$run])))`},
	{func(s *Snapshot) *float64 { return &s.Errors }, `sum(histogram_count(last_over_time(http_server_request_duration_seconds{job="gateway",http_response_status_code=~"5.."}[$run])))`},
	{func(s *Snapshot) *float64 { return &s.RequestRate }, `sum(histogram_count(rate(http_server_request_duration_seconds{job="gateway"}[$window])))`},
	{func(s *Snapshot) *float64 { return &s.ErrorRate }, `sum(histogram_count(rate(http_server_request_duration_seconds{job="gateway",http_response_status_code=~"5.."}[$window])))`},

	// the balance of spans
	{func(s *Snapshot) *float64 { return &s.Spans.In }, sampled("received_total")},
	{func(s *Snapshot) *float64 { return &s.Spans.Recovered }, sampled("recovered_total")},
	{func(s *Snapshot) *float64 { return &s.Spans.Rescued }, sampled("rescued_total")},
	{func(s *Snapshot) *float64 { return &s.Spans.Kept }, sampled("kept_total")},
	{func(s *Snapshot) *float64 { return &s.Spans.Dropped }, sampled("dropped_total")},
	{func(s *Snapshot) *float64 { return &s.Spans.Failed }, sampled("failed_total")},
	{func(s *Snapshot) *float64 { return &s.Spans.Held }, sampled("held")},
	{func(s *Snapshot) *float64 { return &s.SpansAccepted }, `sum(last_over_time(otelcol_receiver_accepted_spans_total[$run]))`},
	{func(s *Snapshot) *float64 { return &s.SpanRate }, `sum(rate(otelcol_receiver_accepted_spans_total[$window]))`},
	{func(s *Snapshot) *float64 { return &s.SpansAsOf }, `max(timestamp(otelcol_receiver_accepted_spans_total))`},

	// decisions
	{func(s *Snapshot) *float64 { return &s.TracesKept }, `sum(last_over_time(otelcol_processor_tail_sampling_global_count_traces_sampled_total{decision="sampled"}[$run]))`},
	{func(s *Snapshot) *float64 { return &s.TracesDropped }, `sum(last_over_time(otelcol_processor_tail_sampling_global_count_traces_sampled_total{decision!="sampled"}[$run]))`},
}

// sampled asks for one term of the sampler's balance.
func sampled(term string) string {
	return "sum(last_over_time(otelcol_processor_tail_sampling_spans_" + term + "[$run]))"
}

// lossQueries name what else may have been lost, each counted over the run; the summary shows those that are not 0.
var lossQueries = []struct{ what, text string }{
	{"spans refused on arrival", `sum(last_over_time(otelcol_receiver_refused_spans_total[$run]))`},
	{"metric points refused on arrival", `sum(last_over_time(otelcol_receiver_refused_metric_points_total[$run]))`},
	{"log records refused on arrival", `sum(last_over_time(otelcol_receiver_refused_log_records_total[$run]))`},
	{"spans that never reached the sampler", `sum(last_over_time(otelcol_receiver_accepted_spans_total[$run])) - sum(last_over_time(otelcol_processor_tail_sampling_spans_received_total[$run]))`},
	{"spans that could not be written", `sum(last_over_time(otelcol_exporter_send_failed_spans_total[$run]))`},
	{"metric points that could not be stored", `sum(last_over_time(otelcol_exporter_send_failed_metric_points_total[$run]))`},
	{"log records that could not be written", `sum(last_over_time(otelcol_exporter_send_failed_log_records_total[$run]))`},
	{"samples refused by the store", `sum(last_over_time(otelcol_exporter_prometheusstore_samples_refused_total[$run]))`},
}

// storeMetrics are read from the store's own /metrics page; the values of all label sets are added up.
var storeMetrics = map[string]func(*Snapshot) *float64{
	"prometheus_tsdb_head_samples_appended_total": func(s *Snapshot) *float64 { return &s.Samples },
	"prometheus_tsdb_head_series":                 func(s *Snapshot) *float64 { return &s.Series },
}

// Snapshot is what the store says at one moment. Counts are since the beginning of the run, rates are per second.
type Snapshot struct {
	At                     time.Time
	Requests, Errors       float64
	RequestRate, ErrorRate float64
	Spans                  Balance
	SpansAccepted          float64 // by receivers
	SpanRate               float64
	SpansAsOf              float64 // Unix time of the newest sample of SpansAccepted
	TracesKept             float64
	TracesDropped          float64
	Samples, Series        float64
	SampleRate             float64 // from two snapshots, see rateSince
}

// rateSince computes the rates that come from two snapshots.
func (s *Snapshot) rateSince(before Snapshot) {
	if dt := s.At.Sub(before.At).Seconds(); dt > 0 && s.Samples >= before.Samples {
		s.SampleRate = (s.Samples - before.Samples) / dt
	}
}

// store asks the PromQL API.
type store struct {
	base    string
	client  *http.Client
	started time.Time // of the run
	now     func() time.Time
}

func newStore(base string, started time.Time) *store {
	return &store{base: base, started: started, now: time.Now, client: &http.Client{
		// Answers on loopback take milliseconds; a store that hangs must not hold up the watch over the children.
		Timeout:   3 * time.Second,
		Transport: &http.Transport{IdleConnTimeout: 10 * time.Second},
	}}
}

func (s *store) close() { s.client.CloseIdleConnections() }

// snapshot asks all queries. It returns what it got together with the first error.
func (s *store) snapshot(ctx context.Context) (Snapshot, error) {
	snap := Snapshot{At: s.now()}
	var first error
	note := func(err error) {
		if err != nil && first == nil {
			first = err
		}
	}
	for _, q := range queries {
		v, err := s.number(ctx, q.text, snap.At)
		*q.into(&snap) = v
		note(err)
		if err != nil {
			return snap, first // one refused connection is enough
		}
	}
	note(s.scrape(ctx, &snap))
	return snap, first
}

// losses returns the lines about what was lost.
func (s *store) losses(ctx context.Context) ([]string, error) {
	var lines []string
	for _, l := range lossQueries {
		n, err := s.number(ctx, l.text, s.now())
		if err != nil {
			return lines, err
		}
		if n > 0 {
			lines = append(lines, thousands(n)+" "+l.what)
		}
	}
	return lines, nil
}

// number evaluates a query whose result has at most one element.
func (s *store) number(ctx context.Context, text string, at time.Time) (float64, error) {
	age := max(at.Sub(s.started), time.Millisecond)
	text = strings.NewReplacer("$run", promDuration(age), "$window", promDuration(min(age, 30*time.Second))).Replace(text)
	form := url.Values{"query": {text}, "time": {strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)}}
	body, err := s.get(ctx, "/api/v1/query?"+form.Encode())
	if err != nil {
		return 0, err
	}
	var answer struct {
		Error string `json:"error"`
		Data  struct {
			Result []struct {
				Value [2]any `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return 0, fmt.Errorf("query %s: answer is not JSON: %w", text, err)
	}
	if answer.Error != "" {
		return 0, fmt.Errorf("query %s: %s", text, answer.Error)
	}
	if len(answer.Data.Result) == 0 {
		return 0, nil
	}
	value, _ := answer.Data.Result[0].Value[1].(string)
	v, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return 0, fmt.Errorf("query %s: value %q: %w", text, value, err)
	}
	return v, nil
}

func promDuration(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) + "ms" }

// scrape reads storeMetrics from the text format (https://prometheus.io/docs/instrumenting/exposition_formats/).
func (s *store) scrape(ctx context.Context, snap *Snapshot) error {
	body, err := s.get(ctx, "/metrics")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(body)) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if i := strings.IndexByte(line, '}'); i >= 0 { // label values may hold blanks
			series, value, ok = line[:i+1], strings.TrimSpace(line[i+1:]), true
		}
		name, _, _ := strings.Cut(series, "{")
		into := storeMetrics[name]
		if !ok || into == nil {
			continue
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fmt.Errorf("read /metrics: line %q: %w", line, err)
		}
		*into(snap) += v
	}
	return nil
}

// maxAnswer bounds an answer of the store; its /metrics page has some 60 KB.
const maxAnswer = 4 << 20

func (s *store) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask the store: %w", err)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the store: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // read only
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("ask the store: %w", err)
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusBadRequest && resp.StatusCode != http.StatusUnprocessableEntity {
		return nil, fmt.Errorf("ask the store: GET %s answered %s", s.base, resp.Status)
	}
	return body, nil
}
