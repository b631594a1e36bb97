package h1_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/gateway/upstream/h1"
)

// BenchmarkRoundTrip asks a server on loopback for 1 KiB, with what the server does included, which is the same for both.
func BenchmarkRoundTrip(b *testing.B) {
	for _, upload := range []int{0, 1 << 10, 100 << 10} {
		for _, parallel := range []int{1, 64} {
			for _, name := range []string{"h1", "nethttp"} {
				b.Run("client="+name+"/upload="+strconv.Itoa(upload)+"/parallel="+strconv.Itoa(parallel), func(b *testing.B) {
					benchmarkRoundTrip(b, name, upload, parallel)
				})
			}
		}
	}
}

func benchmarkRoundTrip(b *testing.B, name string, upload, parallel int) {
	answer := []byte(strings.Repeat("a", 1<<10))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(answer)
	}))
	defer srv.Close()
	address := srv.Listener.Addr().String()
	rt := roundTripper(b, name, address, parallel)
	payload := strings.Repeat("u", upload)
	b.ReportAllocs()
	b.SetParallelism((parallel + 1) / runtime.GOMAXPROCS(0))
	if parallel == 1 {
		for b.Loop() {
			ask(b, rt, address, payload)
		}
		return
	}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			ask(b, rt, address, payload)
		}
	})
	b.ReportMetric(float64(runtime.NumGoroutine()), "goroutines")
}

func roundTripper(b *testing.B, name, address string, parallel int) http.RoundTripper {
	if name == "nethttp" {
		t := &http.Transport{MaxIdleConnsPerHost: 2 * parallel, DisableCompression: true}
		b.Cleanup(t.CloseIdleConnections)
		return t
	}
	c, err := h1.New(h1.Settings{Address: address, MaxIdle: 2 * parallel})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(c.Close)
	return c
}

func ask(b *testing.B, rt http.RoundTripper, address, payload string) {
	var body io.Reader
	if payload != "" {
		body = strings.NewReader(payload)
	}
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, "http://"+address+"/some/path?q=1", body)
	if err != nil {
		b.Error(err)
		return
	}
	req.Header["Accept"] = []string{"*/*"}
	req.Header["X-Forwarded-For"] = []string{"192.0.2.1"}
	req.Header["Traceparent"] = []string{"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	res, err := rt.RoundTrip(req)
	if err != nil {
		b.Error(err)
		return
	}
	if n, err := io.Copy(io.Discard, res.Body); err != nil || n != 1<<10 {
		b.Errorf("%d bytes, %v", n, err)
	}
	_ = res.Body.Close()
}
