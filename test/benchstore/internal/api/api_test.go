package api

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

const page = `# HELP appended_total Samples.
# TYPE appended_total counter
appended_total{type="float"} 1.5e+06
appended_total{type="histogram"} 20
appended_total_more 7
pending 3
`

func TestSumsOverLabels(t *testing.T) {
	got, err := sums(strings.NewReader(page), []string{"appended_total", "pending", "appended"})
	if err != nil || !slices.Equal(got, []float64{1_500_020, 3, 0}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := sums(strings.NewReader("pending x\n"), []string{"pending"}); err == nil {
		t.Error("x was a number")
	}
}

// The range must not reach back to the last sample before it.
func TestCountAsksForARangeOfEachMetric(t *testing.T) {
	var asked []string
	answer := `{"data":{"result":[{"value":[1700000060,"42"]}]}}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.FormValue("query")+" @ "+r.FormValue("time"))
		fmt.Fprint(w, answer)
	}))
	defer server.Close()
	a := TCP(strings.TrimPrefix(server.URL, "http://"))
	from := time.Unix(1_700_000_000, 0)
	count := func() (int, error) { return a.Count([]string{"a", "b"}, from, from.Add(time.Minute)) }
	want := []string{"sum(count_over_time(a[60000ms])) @ 1700000060.000", "sum(count_over_time(b[60000ms])) @ 1700000060.000"}
	if n, err := count(); err != nil || n != 84 || !slices.Equal(asked, want) {
		t.Errorf("%d, %v: asked %q", n, err, asked)
	}
	answer = `{"data":{"result":[]}}`
	if n, err := count(); err != nil || n != 0 {
		t.Errorf("nothing there: %d, %v", n, err)
	}
	answer = "no JSON"
	if _, err := count(); err == nil {
		t.Error("what is no JSON was an answer")
	}
}

func TestRefusalIsAnError(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "query is too expensive", http.StatusUnprocessableEntity)
	}))
	defer server.Close()
	a := TCP(strings.TrimPrefix(server.URL, "http://"))
	if _, err := a.Count([]string{"x"}, time.Unix(0, 0), time.Unix(1, 0)); err == nil || !strings.Contains(err.Error(), "too expensive") {
		t.Errorf("%v", err)
	}
}
