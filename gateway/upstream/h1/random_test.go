package h1_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/gateway/upstream/h1"
)

// TestRandomResponsesAsNetHTTP lets a server answer with random framing in random pieces, several times per connection.
func TestRandomResponsesAsNetHTTP(t *testing.T) {
	const seeds, requests = 60, 8
	for seed := range uint64(seeds) {
		answers := make([][]byte, requests)
		random := rand.New(rand.NewPCG(seed, 0))
		for i := range answers {
			answers[i] = randomResponse(random)
		}
		address := serve(t, func(n int, c *net.TCPConn) { answerInTurn(rand.New(rand.NewPCG(seed, uint64(n))), c, answers) })
		std := &http.Transport{DisableCompression: true}
		c := newClient(t, h1.Settings{Address: address})
		for i := range answers {
			request := func() *http.Request {
				r := newRequest(t, http.MethodGet, address, nil)
				r.Header.Set("X-Answer", fmt.Sprint(i))
				return r
			}
			want, err := observe(std, request())
			if err != nil {
				t.Fatal(err)
			}
			if want.close {
				want.header = "Connection: close|" + want.header // which net/http removes
			}
			if got, err := observe(c, request()); got != want || err != nil {
				t.Errorf("seed %d, answer %d: differs from net/http\n got %.400v (%v)\nwant %.400v", seed, i, got, err, want)
			}
		}
		std.CloseIdleConnections()
		if s := c.Stats(); s.Reused == 0 && !bytes.Contains(bytes.Join(answers, nil), []byte("close")) {
			t.Errorf("seed %d: no connection was used twice: %+v", seed, s)
		}
	}
}

// answerInTurn gives each request the answer it asks for.
func answerInTurn(random *rand.Rand, c net.Conn, answers [][]byte) {
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		var i int
		_, _ = fmt.Sscan(r.Header.Get("X-Answer"), &i)
		for text := answers[i]; len(text) > 0; {
			n := min(1+random.IntN(1<<random.IntN(14)), len(text))
			if _, err := c.Write(text[:n]); err != nil {
				return
			}
			text = text[n:]
		}
		if bytes.Contains(answers[i], []byte("Connection: close")) {
			return
		}
	}
}

func randomResponse(r *rand.Rand) []byte {
	var b bytes.Buffer
	for range r.IntN(3) {
		b.WriteString("HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n")
	}
	fmt.Fprintf(&b, "HTTP/1.1 %d Some reason\r\n", []int{200, 200, 201, 204, 304, 404, 500}[r.IntN(7)])
	for range r.IntN(30) {
		fmt.Fprintf(&b, "x-field-%d: %s\r\n", r.IntN(20), strings.Repeat("v", r.IntN(300)))
	}
	body := make([]byte, r.IntN(1<<r.IntN(18)))
	for i := range body {
		body[i] = byte('a' + r.IntN(26))
	}
	bodyless := bytes.Contains(b.Bytes(), []byte(" 204 ")) || bytes.Contains(b.Bytes(), []byte(" 304 "))
	switch kind := r.IntN(5); {
	case bodyless:
		b.WriteString("\r\n")
	case kind < 2:
		fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	case kind < 4:
		b.WriteString("Transfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n")
		for len(body) > 0 {
			n := min(1+r.IntN(1<<r.IntN(16)), len(body))
			fmt.Fprintf(&b, "%X;ext\r\n%s\r\n", n, body[:n])
			body = body[n:]
		}
		b.WriteString("0\r\nx-end: 1\r\n\r\n")
	default:
		fmt.Fprintf(&b, "Connection: close\r\n\r\n%s", body)
	}
	return b.Bytes()
}

// FuzzResponse compares the reading of a response with http.ReadResponse: what is accepted here is accepted there, with the
// same status, header, length, body and trailer.
func FuzzResponse(f *testing.F) {
	random := rand.New(rand.NewPCG(7, 7))
	for range 30 {
		f.Add(randomResponse(random), uint8(random.IntN(64)))
	}
	f.Add([]byte(head+"Transfer-Encoding: chunked\r\n\r\n5 ; a\r\nhello\r\n0\r\n\r\n"), uint8(3))
	f.Add([]byte(head+"Content-Length: 5\n\nhello"), uint8(1))
	f.Fuzz(func(t *testing.T, text []byte, piece uint8) {
		c := newClient(t, h1.Settings{Address: "a:1", Dial: dialCanned(text, int(piece)+1)})
		got, err := observe(c, newRequest(t, http.MethodGet, "a:1", nil))
		c.Close()
		if err != nil || got.proto == "" || strings.Contains(got.informational, "|") || got.informational != "" {
			return
		}
		res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(text)), nil)
		if err != nil {
			t.Fatalf("accepted %q, which net/http does not: %v", text, err)
		}
		res.Header.Del("Date")
		body, err := io.ReadAll(res.Body)
		want := outcome{status: res.Status, proto: res.Proto, header: flat(res.Header), trailer: flat(res.Trailer), length: res.ContentLength,
			encoding: strings.Join(res.TransferEncoding, ","), close: res.Close, body: string(body)}
		if want.close || res.Header.Get("Pragma") == "no-cache" { // net/http removes Connection, and derives a Cache-Control field
			want.header, got.header = "", ""
		}
		if err != nil || got != want {
			t.Errorf("of %q\n got %+v\nwant %+v (%v)", text, got, want, err)
		}
	})
}
