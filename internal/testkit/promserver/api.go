package promserver

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"
)

// API is the base URL of a Prometheus HTTP API, a stock server's or ours: http://127.0.0.1:9090.
type API string

// requestTimeout bounds one request; on loopback and a test's data the slowest takes a second.
const requestTimeout = 30 * time.Second

// Answer is what an API answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Get asks for a path below the base, /api/v1/labels or /federate.
func (a API) Get(t testing.TB, path string, form url.Values) Answer {
	t.Helper()
	return a.do(t, http.MethodGet, path+"?"+form.Encode(), nil, nil)
}

// Post sends a form, as Grafana does.
func (a API) Post(t testing.TB, path string, form url.Values) Answer {
	t.Helper()
	return a.Send(t, path, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, []byte(form.Encode()))
}

// Send posts a body of another type: an OTLP export, a remote write request.
func (a API) Send(t testing.TB, path string, header http.Header, body []byte) Answer {
	t.Helper()
	return a.do(t, http.MethodPost, path, header, body)
}

func (a API) do(t testing.TB, method, path string, header http.Header, body []byte) Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, string(a)+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	client := http.Client{Timeout: requestTimeout}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read to its end
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: read answer: %v", method, path, err)
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: data}
}

// ContentType is the type of the body.
func (a Answer) ContentType() string { return a.Header.Get("Content-Type") }

// JSON decodes the body into the types of encoding/json, for comparison.
func (a Answer) JSON(t testing.TB) any {
	t.Helper()
	var v any
	if err := json.Unmarshal(a.Body, &v); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, a.Body)
	}
	return v
}

// Sample is one element of an instant vector of floats.
type Sample struct {
	Labels map[string]string
	Value  string
}

// Query runs an instant query that must succeed. An element that is a histogram has no Value.
func (a API) Query(t testing.TB, query string, at time.Time) []Sample {
	t.Helper()
	answer := a.Post(t, "/api/v1/query", url.Values{"query": {query}, "time": {Seconds(at)}})
	var decoded struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	if err := json.Unmarshal(answer.Body, &decoded); err != nil || answer.Status != http.StatusOK {
		t.Fatalf("query %s: status %d, %v\n%s", query, answer.Status, err, answer.Body)
	}
	var out []Sample
	for _, r := range decoded.Data.Result {
		value, _ := r.Value[1].(string)
		out = append(out, Sample{Labels: r.Metric, Value: value})
	}
	return out
}

// Seconds writes a time as the API takes it.
func Seconds(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }
