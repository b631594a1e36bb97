package load_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/demo/fault"
	"github.com/tailgate-otel/tailgate/demo/load"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// front is a storefront that counts by itself what it answers.
type front struct {
	mu     sync.Mutex
	counts map[string]int
	fault  []string
	paths  []string
}

func (f *front) handler(answer func(w http.ResponseWriter, r *http.Request) int) http.Handler {
	f.counts = make(map[string]int)
	mux := http.NewServeMux()
	for _, route := range []string{
		"GET /{$}", "GET /shop/product/{id}", "GET /shop/cart/{user}", "POST /shop/cart/{user}/items", "POST /shop/checkout/{user}",
	} {
		mux.HandleFunc(route, func(w http.ResponseWriter, r *http.Request) {
			status := answer(w, r)
			f.mu.Lock()
			defer f.mu.Unlock()
			f.counts[route+" "+http.StatusText(status)]++
			f.fault = append(f.fault, strings.Fields(route)[1]+" "+r.Header.Get(fault.Header))
			f.paths = append(f.paths, r.Method+" "+r.URL.Path)
		})
	}
	return mux
}

func ok(w http.ResponseWriter, r *http.Request) int {
	if r.Method == http.MethodPost && r.FormValue("product")+r.FormValue("method") == "" {
		w.WriteHeader(http.StatusBadRequest)
		return http.StatusBadRequest
	}
	return http.StatusOK
}

func start(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func settings(gateway string) load.Settings {
	return load.Settings{Gateway: gateway, Rate: 5000, Requests: 500, Concurrency: 8, Seed: 1, Timeout: 10 * time.Second}
}

func compare(t *testing.T, report *load.Report, f *front) {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	sum := 0
	for _, c := range report.Routes {
		key := c.Method + " " + c.Route + " " + http.StatusText(c.Status)
		if f.counts[key] != c.Count {
			t.Errorf("%s: report says %d, server counted %d", key, c.Count, f.counts[key])
		}
		sum += c.Count
	}
	server := 0
	for _, n := range f.counts {
		server += n
	}
	if sum != server || report.Requests != server {
		t.Errorf("report has %d requests, %d in its routes, server counted %d", report.Requests, sum, server)
	}
}

func TestCountsEqualTheServers(t *testing.T) {
	var f front
	n := 0
	s := settings(start(t, f.handler(func(w http.ResponseWriter, r *http.Request) int {
		f.mu.Lock()
		n++
		fail := n%10 == 0
		f.mu.Unlock()
		if fail {
			w.WriteHeader(http.StatusBadGateway)
			return http.StatusBadGateway
		}
		return ok(w, r)
	})))
	report, err := load.Run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, report, &f)
	if report.Requests != 500 || report.Answered != 500 || report.ByClass["5xx"] != 50 || report.ByClass["4xx"] != 0 {
		t.Errorf("report is %+v", report)
	}
	routes := map[string]int{}
	for _, c := range report.Routes {
		routes[c.Route] += c.Count
	}
	if len(routes) != 5 {
		t.Errorf("500 requests touched only %v", routes)
	}
	if l := report.Latency; l.P50 <= 0 || l.P50 > l.P90 || l.P90 > l.P99 || l.P99 > l.Max {
		t.Errorf("latency is %+v", l)
	}
}

func TestEqualSeedsEqualJourneys(t *testing.T) {
	var runs [3][]string
	for i, seed := range []uint64{7, 7, 8} {
		var f front
		s := settings(start(t, f.handler(ok)))
		s.Seed, s.Concurrency, s.Requests = seed, 1, 200
		if _, err := load.Run(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		runs[i] = f.paths
	}
	same := func(a, b []string) bool { return strings.Join(a, "\n") == strings.Join(b, "\n") }
	if !same(runs[0], runs[1]) || same(runs[0], runs[2]) {
		t.Error("journeys do not follow the seed")
	}
}

func TestEndOfContextWaitsForAnswers(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var f front
	var once sync.Once
	s := settings(start(t, f.handler(func(w http.ResponseWriter, r *http.Request) int {
		once.Do(cancel)
		return ok(w, r)
	})))
	s.Requests, s.Duration = 0, time.Hour
	report, err := load.Run(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	if report.Requests == 0 || len(report.TransportErrors) != 0 {
		t.Errorf("report is %+v", report)
	}
	compare(t, report, &f)
}

func TestSlowServerMakesRequestsLateNotFewer(t *testing.T) {
	var f front
	s := settings(start(t, f.handler(func(w http.ResponseWriter, r *http.Request) int {
		timer := time.NewTimer(20 * time.Millisecond) // the server is what is slow here
		<-timer.C
		return ok(w, r)
	})))
	s.Concurrency, s.Requests = 1, 10
	report, err := load.Run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if report.Requests != 10 || report.Late < 8 || report.MaxLate < 0.15 || float64(report.Latency.P50) > report.MaxLate {
		t.Errorf("%d requests, %d late, at most by %v s, p50 %v", report.Requests, report.Late, report.MaxLate, report.Latency.P50)
	}
}

func TestKnownFaults(t *testing.T) {
	var f front
	s := settings(start(t, f.handler(ok)))
	s.Fault, s.FaultEvery = "payment=error", 3
	report, err := load.Run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	checkouts, faulted := 0, 0
	for _, line := range f.fault {
		route, directive, _ := strings.Cut(line, " ")
		switch {
		case route == "/shop/checkout/{user}" && directive == "payment=error":
			faulted++
			checkouts++
		case directive != fault.None:
			t.Errorf("directive %q on %s", directive, route)
		case route == "/shop/checkout/{user}":
			checkouts++
		}
	}
	if faulted == 0 || faulted != checkouts/3 || report.Faulted != faulted {
		t.Errorf("%d of %d checkouts carried the fault, report says %d", faulted, checkouts, report.Faulted)
	}
}

func TestNobodyThere(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	gateway := server.URL
	server.Close()
	s := settings(gateway)
	s.Requests = 5
	report, err := load.Run(t.Context(), s)
	if err == nil || !strings.Contains(err.Error(), "is the gateway running at "+gateway) {
		t.Errorf("run: %v", err)
	}
	if report.TransportErrors["refused"] != 5 || report.Requests != 5 || report.Answered != 0 {
		t.Errorf("report is %+v", report)
	}
}

func TestSettingsAreChecked(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*load.Settings)
		want   string
	}{
		{"unbounded", func(s *load.Settings) { s.Requests = 0 }, "give --duration or --requests"},
		{"remote", func(s *load.Settings) { s.Gateway = "http://example.com" }, "is not on this machine"},
		{"remote address", func(s *load.Settings) { s.Gateway = "http://192.0.2.1:8080" }, "is not on this machine"},
		{"looks like loopback", func(s *load.Settings) { s.Gateway = "http://127.0.0.1.example.com" }, "is not on this machine"},
		{"no scheme", func(s *load.Settings) { s.Gateway = "localhost:8080" }, "must be a URL"},
		{"rate", func(s *load.Settings) { s.Rate = 0 }, "--rate 0"},
		{"concurrency", func(s *load.Settings) { s.Concurrency = 0 }, "--concurrency 0"},
		{"timeout", func(s *load.Settings) { s.Timeout = 0 }, "--timeout 0s"},
		{"negative", func(s *load.Settings) { s.Duration = -1 }, "must not be negative"},
		{"half a fault", func(s *load.Settings) { s.Fault = "payment=error" }, "belong together"},
		{"wrong fault", func(s *load.Settings) { s.Fault, s.FaultEvery = "pament=error", 2 }, `did you mean "payment"?`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := settings("http://127.0.0.1:1")
			tc.change(&s)
			if report, err := load.Run(t.Context(), s); report != nil || err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("run: %v, want %q in it", err, tc.want)
			}
		})
	}
	for _, local := range []string{"http://localhost:1", "http://[::1]:1", "http://127.1.2.3:1"} {
		s := settings(local)
		if err := s.Check(); err != nil {
			t.Errorf("%s: %v", local, err)
		}
	}
	s := settings("http://example.com")
	s.AllowRemote = true
	if err := s.Check(); err != nil {
		t.Error(err)
	}
}

func TestReportFile(t *testing.T) {
	var f front
	s := settings(start(t, f.handler(ok)))
	s.Requests = 20
	report, err := load.Run(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "report.json")
	if err := report.Write(file); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var read load.Report
	if err := json.Unmarshal(data, &read); err != nil || read.Requests != 20 || len(read.Routes) != len(report.Routes) {
		t.Errorf("read back %+v, %v", read, err)
	}
	if err := report.Write(filepath.Join(file, "below a file")); err == nil {
		t.Error("writing below a file succeeded")
	}
}
