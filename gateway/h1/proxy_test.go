package h1_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
)

// TestReverseProxy puts the standard library's proxy behind the server, whose transport reads bodies on goroutines of its
// own: streams in both directions at once, informational responses, trailers, and an upgrade pass through.
func TestReverseProxy(t *testing.T) {
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/upgrade":
			w.Header().Set("Connection", "Upgrade")
			w.Header().Set("Upgrade", "echo")
			w.WriteHeader(101)
			c, rw, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_, _ = io.Copy(c, rw)
			return
		case "/hints":
			w.Header().Set("Link", "</a.css>")
			w.WriteHeader(103)
		}
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Trailer", "X-Lines")
		lines := bufio.NewScanner(r.Body)
		n := 0
		for ; lines.Scan(); n++ {
			_, _ = fmt.Fprintf(w, "%s!\n", lines.Text())
			w.(http.Flusher).Flush()
		}
		w.Header().Set("X-Lines", itoa(n))
	}))
	defer backend.Close()
	target, err := url.Parse(backend.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, FlushInterval: -1}
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	proxy.Transport = tr
	srv := ours(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		proxy.ServeHTTP(w, r)
	}), quickly)
	addr := listening(t, srv)

	t.Run("both directions at once", func(t *testing.T) { converse(t, "http://"+addr+"/", nil) })
	t.Run("hints", func(t *testing.T) {
		var hints []string
		converse(t, "http://"+addr+"/hints", func(code int, h textproto.MIMEHeader) error {
			hints = append(hints, fmt.Sprint(code, h["Link"]))
			return nil
		})
		if len(hints) != 1 || hints[0] != "103 [</a.css>]" {
			t.Errorf("hints %q", hints)
		}
	})
	t.Run("upgrade", func(t *testing.T) {
		c := dial(t, addr)
		c.send(get("/upgrade", "Connection: Upgrade", "Upgrade: echo"))
		c.expect(101, "")
		for range 3 {
			c.send("ping\n")
			if got, err := c.r.ReadString('\n'); got != "ping\n" {
				t.Fatalf("%q, %v", got, err)
			}
		}
	})
}

// converse sends a line only after the answer to the one before came back.
func converse(t *testing.T, address string, hint func(int, textproto.MIMEHeader) error) {
	t.Helper()
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	out, in := io.Pipe()
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: hint}), http.MethodPost, address, out)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(in, "line 0\n") }()
	res, err := tr.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answers := bufio.NewReader(res.Body)
	for i := range 5 {
		if got, err := answers.ReadString('\n'); got != fmt.Sprintf("line %d!\n", i) {
			t.Fatalf("answer %d: %q, %v", i, got, err)
		}
		if i < 4 {
			_, _ = fmt.Fprintf(in, "line %d\n", i+1)
		}
	}
	in.Close()
	if rest, err := io.ReadAll(answers); len(rest) > 0 || err != nil {
		t.Errorf("at the end %q, %v", rest, err)
	}
	if got := strings.Join(res.Trailer["X-Lines"], ","); got != "5" {
		t.Errorf("trailer %q", got)
	}
}
