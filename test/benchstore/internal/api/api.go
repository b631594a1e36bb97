// Package api asks a Prometheus, a stock server or the embedded one, how much it has stored: by a query over the samples
// themselves, and by its own counters.
package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// timeout bounds one request. Counting 3 million samples takes a few seconds.
const timeout = 2 * time.Minute

// API is where one listens. Close it when done.
type API struct {
	client *http.Client
	base   string
}

// TCP is the API at an address.
func TCP(addr string) *API {
	return &API{client: &http.Client{Transport: &http.Transport{}, Timeout: timeout}, base: "http://" + addr}
}

// Unix is the API at a socket.
func Unix(path string) *API {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}
	return &API{client: &http.Client{Transport: &http.Transport{DialContext: dial}, Timeout: timeout}, base: "http://store"}
}

// Close gives up idle connections.
func (a *API) Close() { a.client.CloseIdleConnections() }

// CountQuery asks how many samples of a metric there are later than from, and not later than to, at which it is evaluated.
// One metric at a time: count_over_time takes the names away, without which two series may be the same.
func CountQuery(metric string, from, to time.Time) string {
	return fmt.Sprintf("sum(count_over_time(%s[%dms]))", metric, to.Sub(from).Milliseconds())
}

// Count is how many samples of the metrics there are later than from, and not later than to.
func (a *API) Count(metrics []string, from, to time.Time) (int, error) {
	total := 0
	for _, metric := range metrics {
		n, err := a.count(CountQuery(metric, from, to), to)
		if err != nil {
			return 0, fmt.Errorf("count samples of %s: %w", metric, err)
		}
		total += n
	}
	return total, nil
}

// count is the value of a query that has one or none.
func (a *API) count(query string, at time.Time) (int, error) {
	body, err := a.get("/api/v1/query", url.Values{
		"query": {query}, "time": {strconv.FormatFloat(float64(at.UnixMilli())/1000, 'f', 3, 64)},
	})
	if err != nil {
		return 0, err
	}
	var answer struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return 0, fmt.Errorf("decode the answer: %w", err)
	}
	if len(answer.Data.Result) == 0 {
		return 0, nil
	}
	text, _ := answer.Data.Result[0].Value[1].(string)
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no number: %w", text, err)
	}
	return int(n), nil
}

// Counters are the sums of metrics over their labels, in the order of the names. One with labels is not there before it was
// counted for the first time, so what is not there is 0.
func (a *API) Counters(names ...string) ([]float64, error) {
	body, err := a.get("/metrics", nil)
	if err != nil {
		return nil, err
	}
	return sums(bytes.NewReader(body), names)
}

// sums adds up lines of the text format.
func sums(page io.Reader, names []string) ([]float64, error) {
	total := make([]float64, len(names))
	lines := bufio.NewScanner(page)
	for lines.Scan() {
		line := lines.Text()
		for i, name := range names {
			rest, ok := strings.CutPrefix(line, name)
			if !ok || rest == "" || rest[0] != ' ' && rest[0] != '{' {
				continue
			}
			v, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
			if err != nil {
				return nil, fmt.Errorf("metric %s: %w", name, err)
			}
			total[i] += v
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	return total, nil
}

func (a *API) get(path string, form url.Values) ([]byte, error) {
	resp, err := a.client.Get(a.base + path + "?" + form.Encode())
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", path, err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, fmt.Errorf("ask %s: read the answer: %w", path, err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask %s: status %d: %s", path, resp.StatusCode, body)
	}
	return body, nil
}
