package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"testing"
)

// sample is one element of an instant vector.
type sample struct {
	labels map[string]string
	value  float64
}

// query asks the store's HTTP API, as Grafana does, and fails the test on anything but a vector.
func (s *stack) query(t *testing.T, promql string) []sample {
	t.Helper()
	var answer struct {
		Status string
		Error  string
		Data   struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	resp, err := http.PostForm(s.store+"/api/v1/query", url.Values{"query": {promql}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatalf("%s: %v", promql, err)
	}
	if answer.Status != "success" {
		t.Fatalf("%s: %s", promql, answer.Error)
	}
	var out []sample
	for _, r := range answer.Data.Result {
		v, err := strconv.ParseFloat(fmt.Sprint(r.Value[1]), 64)
		if err != nil {
			t.Fatalf("%s: %v", promql, err)
		}
		out = append(out, sample{labels: r.Metric, value: v})
	}
	return out
}

// scalar returns the value of a query with at most one result; 0 when it has none.
func (s *stack) scalar(t *testing.T, promql string) float64 {
	t.Helper()
	switch r := s.query(t, promql); len(r) {
	case 0:
		return 0
	case 1:
		return r[0].value
	default:
		t.Fatalf("%s: %d results, want one", promql, len(r))
		return 0
	}
}
