package proxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"
)

// client speaks one protocol to the rig.
func client(t *testing.T, proto string) *http.Client {
	p := new(http.Protocols)
	switch proto {
	case "h1":
		p.SetHTTP1(true)
	case "h2c":
		p.SetUnencryptedHTTP2(true)
	default:
		p.SetHTTP2(true)
	}
	tr := &http.Transport{Protocols: p, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

func TestProtocols(t *testing.T) {
	for _, front := range []string{"h1", "h2c", "h2"} {
		for _, back := range []string{"http1", "h2c"} {
			t.Run(front+" to "+back, func(t *testing.T) {
				r := newRig(t, strings.Replace(one, `["$up"]`, `["$up"], protocol: `+back, 1), "up", serve(t, echo))
				if front == "h2" {
					r.StartTLS()
				} else {
					r.Start()
				}
				res, err := client(t, front).Post(r.URL+"/a%2Fb/c?q=1&r=a%20b", "text/plain", strings.NewReader("body"))
				if err != nil {
					t.Fatal(err)
				}
				if got := read(t, res); got != "POST /a%2Fb/c?q=1&r=a%20b body" {
					t.Errorf("got %q", got)
				}
				version := map[string]string{"h1": "1.1", "h2c": "2", "h2": "2"}[front]
				scheme := map[bool]string{true: "https", false: "http"}[front == "h2"]
				r.want(1, "http.server.request.duration", "network.protocol.version", version, "url.scheme", scheme, "http.response.status_code", "200")
				r.want(1, "http.client.request.duration", "network.protocol.version", map[string]string{"http1": "1.1", "h2c": "2"}[back])
				r.want(4, "http.server.request.body.size")
				r.want(int64(len("POST /a%2Fb/c?q=1&r=a%20b body")), "http.server.response.body.size")
				r.want(0, "http.server.active_requests")
				r.want(0, "http.client.active_requests")
			})
		}
	}
}

// TestServerSentEvents reads each event before the upstream is allowed to send the next one.
func TestServerSentEvents(t *testing.T) {
	for _, front := range []string{"h1", "h2c"} {
		t.Run(front, func(t *testing.T) {
			next := make(chan struct{})
			r := newRig(t, one, "up", serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/event-stream")
				for i := range 3 {
					_, _ = fmt.Fprintf(w, "data: %d\n\n", i)
					_ = http.NewResponseController(w).Flush()
					<-next
				}
			})).start()
			res, err := client(t, front).Get(r.URL + "/events")
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(res.Body)
			for i := range 3 {
				if line, err := lines.ReadString('\n'); err != nil || line != fmt.Sprintf("data: %d\n", i) {
					t.Fatalf("event %d: %q, %v", i, line, err)
				}
				_, _ = lines.ReadString('\n')
				next <- struct{}{}
			}
			_ = res.Body.Close()
		})
	}
}

// TestUploadStreams makes the upstream answer each piece of a body before the client sends the next one.
func TestUploadStreams(t *testing.T) {
	for _, front := range []string{"h1", "h2c"} {
		for _, back := range []string{"http1", "h2c"} {
			t.Run(front+" to "+back, func(t *testing.T) { uploadStreams(t, front, back) })
		}
	}
}

func uploadStreams(t *testing.T, front, back string) {
	r := newRig(t, strings.Replace(one, `["$up"]`, `["$up"], protocol: `+back, 1), "up", serve(t, func(w http.ResponseWriter, req *http.Request) {
		control := http.NewResponseController(w)
		_ = control.EnableFullDuplex()
		w.WriteHeader(http.StatusOK)
		_ = control.Flush()
		buf := make([]byte, 16)
		for {
			n, err := req.Body.Read(buf)
			if n > 0 {
				_, _ = w.Write(buf[:n])
				_ = control.Flush()
			}
			if err != nil {
				return
			}
		}
	})).start()
	pr, pw := io.Pipe()
	res, err := client(t, front).Post(r.URL+"/chat", "text/plain", pr)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 16)
	for i := range 3 {
		msg := fmt.Sprintf("piece %d", i)
		if _, err := io.WriteString(pw, msg); err != nil {
			t.Fatal(err)
		}
		if n, err := io.ReadFull(res.Body, buf[:len(msg)]); err != nil || string(buf[:n]) != msg {
			t.Fatalf("got %q, %v; want %q", buf[:n], err, msg)
		}
	}
	_ = pw.Close()
	if rest := read(t, res); rest != "" {
		t.Errorf("got %q after the end", rest)
	}
}

func TestTrailers(t *testing.T) {
	r := newRig(t, one, "up", serve(t, func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		w.Header().Set("Trailer", "Announced")
		_, _ = io.WriteString(w, "body")
		w.Header().Set("Announced", "yes "+req.Trailer.Get("From-Client"))
		w.Header().Set(http.TrailerPrefix+"Unannounced", "too")
	})).start()
	for _, front := range []string{"h1", "h2c"} {
		req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL+"/", io.NopCloser(strings.NewReader("x")))
		req.Trailer = http.Header{"From-Client": {"hello"}}
		res, err := client(t, front).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body := read(t, res)
		if body != "body" || res.Trailer.Get("Announced") != "yes hello" || res.Trailer.Get("Unannounced") != "too" {
			t.Errorf("%s: body %q, trailer %v", front, body, res.Trailer)
		}
	}
}

func TestInformationalResponses(t *testing.T) {
	r := newRig(t, one, "up", serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = io.WriteString(w, "done")
	})).start()
	var hints []string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		hints = append(hints, fmt.Sprint(code, " ", h.Get("Link")))
		return nil
	}})
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, r.URL+"/", nil)
	res, err := client(t, "h1").Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if body := read(t, res); body != "done" || len(hints) != 1 || hints[0] != "103 </style.css>; rel=preload" {
		t.Errorf("body %q after hints %q", body, hints)
	}
	r.want(1, "http.server.request.duration", "http.response.status_code", "200")
}

// TestUpgrade changes to a protocol that echoes lines, ends our half of the connection and reads the rest. The timeout of
// the route has passed long before: it must not apply any more.
func TestUpgrade(t *testing.T) {
	release := make(chan struct{})
	r := newRig(t, strings.Replace(one, "upstream: up }]", "upstream: up, timeout: 50ms }]", 1), "up", serve(t, func(w http.ResponseWriter, req *http.Request) {
		conn, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + req.Header.Get("Upgrade") + "\r\n\r\n")
		_ = rw.Flush()
		<-release
		_, _ = io.Copy(conn, rw)
	})).start()
	conn := dial(t, r.URL)
	_, _ = io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: lines\r\n\r\n")
	br := bufio.NewReader(conn)
	res, err := http.ReadResponse(br, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Upgrade") != "lines" {
		t.Fatalf("got %v, %v", res, err)
	}
	passed := time.NewTimer(100 * time.Millisecond) // twice the timeout
	<-passed.C
	close(release)
	_, _ = io.WriteString(conn, "hello\n")
	if line, err := br.ReadString('\n'); err != nil || line != "hello\n" {
		t.Fatalf("got %q, %v", line, err)
	}
	_, _ = io.WriteString(conn, "last\n")
	_ = conn.(*net.TCPConn).CloseWrite()
	if rest, err := io.ReadAll(br); err != nil || string(rest) != "last\n" {
		t.Errorf("got %q, %v after the half-close", rest, err)
	}
	r.want(1, "http.server.request.duration", "http.response.status_code", "101")
	r.want(1, "http.client.request.duration", "http.response.status_code", "101")
}

// TestH2CUpgradeIsNotTunneled: an upstream that speaks the old upgrade would take requests past the gateway.
func TestH2CUpgradeIsNotTunneled(t *testing.T) {
	r := newRig(t, one, "up", serve(t, func(w http.ResponseWriter, req *http.Request) {
		_, _ = fmt.Fprintf(w, "upgrade=%q settings=%q", req.Header.Get("Upgrade"), req.Header.Get("Http2-Settings"))
	})).start()
	_, body := r.do(http.MethodGet, "/", nil, "Connection", "Upgrade, HTTP2-Settings", "Upgrade", "h2c", "HTTP2-Settings", "AAMAAABkAAQAAP__")
	if body != `upgrade="" settings=""` {
		t.Errorf("the upstream saw %s", body)
	}
}

func TestClientAbortCancelsUpstream(t *testing.T) {
	for _, front := range []string{"h1", "h2c"} {
		t.Run(front, func(t *testing.T) {
			arrived, cancelled := make(chan struct{}), make(chan struct{})
			r := newRig(t, one, "up", serve(t, func(_ http.ResponseWriter, req *http.Request) {
				close(arrived)
				<-req.Context().Done()
				close(cancelled)
			})).start()
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-arrived; cancel() }()
			req, _ := http.NewRequestWithContext(ctx, http.MethodGet, r.URL+"/", nil)
			if res, err := client(t, front).Do(req); err == nil {
				_ = res.Body.Close()
				t.Fatal("no error")
			}
			<-cancelled
			span := r.server()
			if got := attr(span, "error.type"); got != "client_gone" {
				t.Errorf("error.type %q, want client_gone", got)
			}
			if got := attr(span, "http.response.status_code"); got != "" {
				t.Errorf("status %s for a client that got none", got)
			}
			r.want(1, "http.client.request.duration", "error.type", "client_gone")
			r.want(1, "http.server.request.duration", "error.type", "client_gone")
		})
	}
}

// dial opens a connection of its own to a server.
func dial(t *testing.T, url string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}
