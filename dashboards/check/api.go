package check

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// responseLimit bounds what is read of one answer: 20 MB are 500,000 samples, far more than a panel draws.
const responseLimit = 20 << 20

// requestTimeout bounds one request. Prometheus itself gives up on a query after two minutes; a panel that needs longer
// than this is broken for whoever looks at it.
const requestTimeout = 30 * time.Second

// API is the Prometheus HTTP API, as a dashboard uses it. It is safe for concurrent use.
type API struct {
	base   *url.URL
	client *http.Client
}

// NewAPI returns the API of the server at base: http://127.0.0.1:9090, with a path when the server has one.
func NewAPI(base string) (*API, error) {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fmt.Errorf("prometheus URL %q: want http://host:port or https://host:port", base)
	}
	return &API{base: u, client: &http.Client{Timeout: requestTimeout}}, nil
}

// Close ends idle connections.
func (a *API) Close() { a.client.CloseIdleConnections() }

// errUnreachable marks failures of the way to the server, as opposed to answers of it.
var errUnreachable = errors.New("no answer from Prometheus")

// call posts a form, as Grafana does, and decodes the data of the answer. An answer of status "error" is an error with
// the server's own words.
func (a *API) call(ctx context.Context, method, path string, form url.Values, into any) error {
	target := a.base.JoinPath("api", "v1", path).String()
	var body io.Reader
	if method == http.MethodPost {
		body = strings.NewReader(form.Encode())
	} else if len(form) > 0 {
		target += "?" + form.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return err
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return fmt.Errorf("%w at %s: %w", errUnreachable, a.base, err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(resp.Body, responseLimit+1))
	if err != nil {
		return fmt.Errorf("%w at %s: read answer: %w", errUnreachable, a.base, err)
	}
	if len(data) > responseLimit {
		return fmt.Errorf("answer of %s is larger than %d MB", path, responseLimit>>20)
	}
	var answer struct {
		Status string          `json:"status"`
		Error  string          `json:"error"`
		Data   json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return fmt.Errorf("%w at %s: HTTP %d is not an answer of the query API", errUnreachable, target, resp.StatusCode)
	}
	if answer.Status != "success" {
		return fmt.Errorf("prometheus says: %s", answer.Error)
	}
	return json.Unmarshal(answer.Data, into)
}

// labelValues returns the values of a label among the series of a selector, or among all when it is empty.
func (a *API) labelValues(ctx context.Context, selector, label string, from, to time.Time) ([]string, error) {
	form := url.Values{"start": {unix(from)}, "end": {unix(to)}}
	if selector != "" {
		form.Set("match[]", selector)
	}
	var values []string
	err := a.call(ctx, http.MethodGet, "label/"+label+"/values", form, &values)
	return values, err
}

// counted is how much a query returned.
type counted struct {
	Series, Points int
	Finite         int // points that are numbers, or histograms
}

// queryRange runs a query over a range.
func (a *API) queryRange(ctx context.Context, query string, from, to time.Time, step time.Duration) (counted, error) {
	var data result
	err := a.call(ctx, http.MethodPost, "query_range", url.Values{"query": {query}, "start": {unix(from)}, "end": {unix(to)},
		"step": {strconv.FormatFloat(step.Seconds(), 'f', -1, 64)}}, &data)
	if err != nil {
		return counted{}, err
	}
	return data.count()
}

// query runs a query at one time.
func (a *API) query(ctx context.Context, query string, at time.Time) (counted, error) {
	var data result
	if err := a.call(ctx, http.MethodPost, "query", url.Values{"query": {query}, "time": {unix(at)}}, &data); err != nil {
		return counted{}, err
	}
	return data.count()
}

// result is the data of query and query_range.
type result struct {
	ResultType string          `json:"resultType"`
	Result     json.RawMessage `json:"result"`
}

type sample [2]any // time, and the value as text or the histogram as an object

func (r result) count() (counted, error) {
	if r.ResultType == "scalar" || r.ResultType == "string" {
		var s sample
		err := json.Unmarshal(r.Result, &s)
		return counted{Series: 1, Points: 1, Finite: finite(s)}, err
	}
	var all []struct {
		Value      *sample  `json:"value"`
		Histogram  *sample  `json:"histogram"`
		Values     []sample `json:"values"`
		Histograms []sample `json:"histograms"`
	}
	if err := json.Unmarshal(r.Result, &all); err != nil {
		return counted{}, fmt.Errorf("read %s: %w", r.ResultType, err)
	}
	c := counted{Series: len(all)}
	for _, s := range all {
		points := append(s.Values, s.Histograms...)
		for _, single := range []*sample{s.Value, s.Histogram} {
			if single != nil {
				points = append(points, *single)
			}
		}
		c.Points += len(points)
		for _, p := range points {
			c.Finite += finite(p)
		}
	}
	return c, nil
}

func finite(s sample) int {
	text, ok := s[1].(string)
	if !ok {
		return 1 // a histogram
	}
	if v, err := strconv.ParseFloat(text, 64); err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return 1
}

func unix(t time.Time) string { return strconv.FormatFloat(float64(t.UnixMilli())/1000, 'f', 3, 64) }
