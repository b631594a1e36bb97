package h1_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/gateway/upstream/h1"
)

// sameAsNetHTTP asks the same server through both clients and compares all that a caller sees.
func sameAsNetHTTP(t *testing.T, address string, request func() *http.Request) outcome {
	t.Helper()
	std := &http.Transport{DisableCompression: true}
	defer std.CloseIdleConnections()
	want, wantErr := observe(std, request())
	got, gotErr := observe(newClient(t, h1.Settings{Address: address}), request())
	if want.bodyFail { // how much arrived before the failure is the luck of reads
		want.body, got.body = "", ""
	}
	if want.close { // net/http removes the field, and with it the names of others that are not to be passed on
		got.header = strings.NewReplacer("Connection: close|", "", "Connection: x, Close|", "").Replace(got.header)
	}
	if got != want {
		t.Errorf("differs from net/http\n got %.600v (%v)\nwant %.600v (%v)", got, gotErr, want, wantErr)
	}
	if errors.Is(wantErr, io.ErrUnexpectedEOF) && !errors.Is(gotErr, io.ErrUnexpectedEOF) && !want.failed {
		t.Errorf("got the error %v, want %v", gotErr, wantErr)
	}
	return got
}

const head = "HTTP/1.1 200 OK\r\n"

func TestResponsesAsNetHTTP(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 10_000)
	for name, text := range map[string]string{
		"length":                     head + "Content-Length: 5\r\n\r\nhello",
		"lower case names":           head + "content-length: 5\r\nx-a: b\r\nX-a: c\r\n\r\nhello",
		"empty":                      head + "Content-Length: 0\r\n\r\n",
		"large":                      head + fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(big), big),
		"no reason":                  "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n",
		"empty reason":               "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n",
		"until close":                head + "\r\nhello",
		"until close, large":         head + "\r\n" + big,
		"1.0":                        "HTTP/1.0 200 OK\r\n\r\nhello",
		"1.0 keep-alive":             "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
		"close":                      head + "Connection: close\r\nContent-Length: 5\r\n\r\nhello",
		"close among tokens":         head + "Connection: x, Close\r\nContent-Length: 5\r\n\r\nhello",
		"chunked":                    head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;a=b\r\n!\r\n0\r\n\r\n",
		"chunked, large":             head + fmt.Sprintf("Transfer-Encoding: Chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(big), big),
		"chunked, empty":             head + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"trailers":                   head + "Transfer-Encoding: chunked\r\nTrailer: X-Sum, x-other\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n",
		"trailers, not promised":     head + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n",
		"204":                        "HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
		"304 with length":            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nEtag: \"a\"\r\n\r\n",
		"same lengths":               head + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
		"bare LF":                    "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
		"early hints":                "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + head + "Content-Length: 5\r\n\r\nhello",
		"continue unasked":           "HTTP/1.1 100 Continue\r\n\r\n" + head + "Content-Length: 5\r\n\r\nhello",
		"tabs and blanks":            head + "X-A: \t b c\t \r\nContent-Length: 0\r\n\r\n",
		"high bytes":                 head + "X-A: \xff\xc3\xa4\r\nContent-Length: 0\r\n\r\n",
		"cut header":                 head + "Content-Le",
		"nothing":                    "",
		"cut body":                   head + "Content-Length: 50\r\n\r\nhello",
		"cut chunk":                  head + "Transfer-Encoding: chunked\r\n\r\n50\r\nhello",
		"cut before last chunk":      head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		"cut trailer":                head + "Transfer-Encoding: chunked\r\n\r\n0\r\nX-A: b\r\n",
		"garbage":                    "SSH-2.0-OpenSSH_9.2\r\n\r\n",
		"bad version":                "HTTP/x.1 200 OK\r\n\r\n",
		"bad status":                 "HTTP/1.1 2x0 OK\r\n\r\n",
		"bad header":                 head + "nocolon\r\n\r\n",
		"nul in value":               head + "X-A: a\x00b\r\n\r\n",
		"negative length":            head + "Content-Length: -5\r\n\r\nhello",
		"signed length":              head + "Content-Length: +5\r\n\r\nhello",
		"two lengths":                head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
		"list of lengths":            head + "Content-Length: 5, 5\r\n\r\nhello",
		"huge length":                head + "Content-Length: 99999999999999999999\r\n\r\nhello",
		"unknown coding":             head + "Transfer-Encoding: gzip\r\n\r\nhello",
		"coding twice":               head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"bad chunk size":             head + "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
		"signed chunk size":          head + "Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
		"huge chunk size":            head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n0\r\n\r\n",
		"chunk without end":          head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
		"header larger than allowed": head + "X-A: " + strings.Repeat("a", 11<<20) + "\r\n\r\n",
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			t.Run(name+"/"+method, func(t *testing.T) {
				address := serve(t, answering(text, true))
				sameAsNetHTTP(t, address, func() *http.Request {
					var body io.Reader
					if method == http.MethodPost {
						body = strings.NewReader("a body")
					}
					return newRequest(t, method, address, body)
				})
			})
		}
	}
}

// TestStricterThanNetHTTP lists what net/http accepts and this client does not: all of it can be read in two ways, or was
// not asked for.
func TestStricterThanNetHTTP(t *testing.T) {
	for name, text := range map[string]string{
		"length and coding":  head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"coding in 1.0":      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"folded line":        head + "X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n",
		"blank before colon": head + "Content-Length : 0\r\n\r\n",
		"version 2":          "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
		"status 099":         "HTTP/1.1 099 X\r\nContent-Length: 0\r\n\r\n",
		"upgrade unasked":    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
		"forbidden trailer":  head + "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n0\r\n\r\n",
		"too many fields":    head + strings.Repeat("X-A: b\r\n", 1001) + "Content-Length: 0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			address := serve(t, answering(text, true))
			_, err := observe(newClient(t, h1.Settings{Address: address}), newRequest(t, http.MethodGet, address, nil))
			var protocol h1.ProtocolError
			if !errors.As(err, &protocol) {
				t.Errorf("got %v, want a ProtocolError", err)
			}
			if e := phaseOf(t, err); e.Retryable(http.MethodGet) {
				t.Error("retryable, though an answer came")
			}
		})
	}
}

// TestRequestsAsNetHTTP compares what arrives at the server.
func TestRequestsAsNetHTTP(t *testing.T) {
	seen := make(chan string, 2)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		seen <- fmt.Sprint(r.Method, r.RequestURI, r.Host, r.ContentLength, r.TransferEncoding, flat(r.Header), flat(r.Trailer), r.Close, len(text), err)
	}))
	srv.Config.DisableGeneralOptionsHandler = true
	srv.Start()
	defer srv.Close()
	address := srv.Listener.Addr().String()
	for name, edit := range map[string]func(*http.Request){
		"plain": func(*http.Request) {},
		"path and query": func(r *http.Request) {
			r.URL.Path, r.URL.RawPath, r.URL.RawQuery = "/a b/ü", "/a%20b/%c3%bc", "x=1&y=%20"
		},
		"escaped slash":    func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/a/b", "/a%2Fb" },
		"no path":          func(r *http.Request) { r.URL.Path = "" },
		"opaque":           func(r *http.Request) { r.URL.Opaque = "//" + address + "/o%2Fp" },
		"asterisk":         func(r *http.Request) { r.Method, r.URL.Path = http.MethodOptions, "*" },
		"other host":       func(r *http.Request) { r.Host = "example.com:81" },
		"close":            func(r *http.Request) { r.Close = true },
		"several values":   func(r *http.Request) { r.Header["X-A"] = []string{"1", "", "3"} },
		"post, no body":    func(r *http.Request) { r.Method = http.MethodPost },
		"delete, no body":  func(r *http.Request) { r.Method = http.MethodDelete },
		"small body":       withBody("hello", 5),
		"16 KiB":           withBody(strings.Repeat("x", 16<<10), 16<<10),
		"16 KiB and 1":     withBody(strings.Repeat("x", 16<<10+1), 16<<10+1),
		"1 MB":             withBody(strings.Repeat("x", 1e6), 1e6),
		"unknown length":   withBody(strings.Repeat("x", 1e6), -1),
		"unknown, one":     withBody("x", -1),
		"expects, small":   func(r *http.Request) { withBody("hello", 5)(r); r.Header.Set("Expect", "100-continue") },
		"expects, unknown": func(r *http.Request) { withBody("hello", -1)(r); r.Header.Set("Expect", "100-continue") },
		"trailers": func(r *http.Request) {
			withBody("hello", -1)(r)
			r.Trailer = http.Header{"X-Sum": {"1"}, "X-Other": {"2", "3"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			request := func() *http.Request {
				r := newRequest(t, http.MethodGet, address, nil)
				r.Header.Set("User-Agent", "test")
				edit(r)
				return r
			}
			sameAsNetHTTP(t, address, request)
			if want, got := <-seen, <-seen; got != want {
				t.Errorf("the server saw\n     %.300s\nwant %.300s", got, want)
			}
		})
	}
}

func withBody(text string, length int64) func(*http.Request) {
	return func(r *http.Request) {
		r.Method, r.Body, r.ContentLength = http.MethodPost, io.NopCloser(strings.NewReader(text)), length
	}
}

// TestRefusedRequests lists what must not be written.
func TestRefusedRequests(t *testing.T) {
	address := serve(t, answering(head+"Content-Length: 0\r\n\r\n", false))
	c := newClient(t, h1.Settings{Address: address})
	for name, edit := range map[string]func(*http.Request){
		"method":         func(r *http.Request) { r.Method = "GET / HTTP/1.1\r\nX:" },
		"connect":        func(r *http.Request) { r.Method = http.MethodConnect },
		"host":           func(r *http.Request) { r.Host = "a\r\nX-A: b" },
		"query":          func(r *http.Request) { r.URL.RawQuery = "a b" },
		"opaque":         func(r *http.Request) { r.URL.Opaque = "/ HTTP/1.1\r\nX: y" },
		"name":           func(r *http.Request) { r.Header["X A"] = []string{"b"} },
		"value":          func(r *http.Request) { r.Header["X-A"] = []string{"b\r\nX-C: d"} },
		"own length":     func(r *http.Request) { r.Header["content-length"] = []string{"7"} },
		"own coding":     func(r *http.Request) { r.Header["TRANSFER-ENCODING"] = []string{"chunked"} },
		"own host":       func(r *http.Request) { r.Header["host"] = []string{"b"} },
		"own trailer":    func(r *http.Request) { r.Header["trailer"] = []string{"b"} },
		"short body":     withBody("hell", 5),
		"long body":      withBody("hello!", 5),
		"failing body":   func(r *http.Request) { r.Method, r.Body, r.ContentLength = "PUT", io.NopCloser(failing{}), 5 },
		"short upload":   withBody(strings.Repeat("x", 20<<10), 20<<10+1),
		"long upload":    withBody(strings.Repeat("x", 20<<10+1), 20<<10),
		"failing upload": func(r *http.Request) { r.Method, r.Body, r.ContentLength = "PUT", io.NopCloser(failing{}), -1 },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRequest(t, http.MethodGet, address, nil)
			edit(r)
			_, err := observe(c, r)
			if e := phaseOf(t, err); e.Retryable(http.MethodGet) {
				t.Errorf("retryable: %v", e)
			}
		})
	}
}

type failing struct{}

func (failing) Read(p []byte) (int, error) { return copy(p, "he"), errors.New("no more") }
