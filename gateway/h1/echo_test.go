package h1_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"net/http"
	"net/textproto"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

var quietLog = log.New(io.Discard, "", 0)

// echo answers with everything it was asked, and writes its answer in the way that the path asks for.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Method", r.Method)
	if r.URL.Path == "/early" {
		_, _ = io.WriteString(w, "not read")
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.Header().Set("X-Body-Error", strings.NewReplacer("\r", "", "\n", "").Replace(err.Error()))
	}
	text := describe(r, body)
	if respond, ok := ways[r.URL.Path]; ok {
		respond(w, text)
		return
	}
	_, _ = io.WriteString(w, text)
}

var big = strings.Repeat("0123456789abcdef", 8<<10)

// ways are the ways to write a response.
var ways = map[string]func(w http.ResponseWriter, text string){
	"/length": func(w http.ResponseWriter, text string) {
		w.Header().Set("Content-Length", strconv.Itoa(len(text)))
		_, _ = io.WriteString(w, text)
	},
	"/flush": func(w http.ResponseWriter, text string) {
		for i := range len(text) {
			_, _ = w.Write([]byte{text[i]})
			w.(http.Flusher).Flush()
		}
	},
	"/big":    func(w http.ResponseWriter, text string) { _, _ = io.WriteString(w, big+text) },
	"/reader": func(w http.ResponseWriter, text string) { _, _ = io.Copy(w, strings.NewReader(big+text)) },
	"/pieces": func(w http.ResponseWriter, text string) {
		for range 100 {
			_, _ = io.WriteString(w, text)
		}
	},
	"/204": func(w http.ResponseWriter, text string) { w.WriteHeader(204); _, _ = io.WriteString(w, text) },
	"/304": func(w http.ResponseWriter, text string) {
		w.Header().Set("Content-Type", "a/b")
		w.Header().Set("Content-Length", "7")
		w.WriteHeader(304)
	},
	"/599":     func(w http.ResponseWriter, text string) { w.WriteHeader(599); _, _ = io.WriteString(w, text) },
	"/nothing": func(http.ResponseWriter, string) {},
	"/close": func(w http.ResponseWriter, text string) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, text)
	},
	"/keep": func(w http.ResponseWriter, text string) {
		w.Header().Set("Connection", "keep-alive")
		_, _ = io.WriteString(w, text)
	},
	"/short": func(w http.ResponseWriter, text string) {
		w.Header().Set("Content-Length", "100000")
		_, _ = io.WriteString(w, text)
	},
	"/long": func(w http.ResponseWriter, text string) {
		w.Header().Set("Content-Length", "3")
		if _, err := io.WriteString(w, text); !errors.Is(err, http.ErrContentLength) {
			panic(err)
		}
		_, _ = io.WriteString(w, "abc")
	},
	"/identity": func(w http.ResponseWriter, text string) {
		w.Header().Set("Transfer-Encoding", "identity")
		_, _ = io.WriteString(w, text)
	},
	"/chunked": func(w http.ResponseWriter, text string) {
		w.Header().Set("Transfer-Encoding", "chunked")
		_, _ = io.WriteString(w, text)
	},
	"/hints": func(w http.ResponseWriter, text string) {
		w.Header().Set("Link", "</a.css>")
		w.WriteHeader(103)
		w.Header().Del("Link")
		w.WriteHeader(102)
		_, _ = io.WriteString(w, text)
	},
	"/late": func(w http.ResponseWriter, text string) {
		w.WriteHeader(201)
		w.WriteHeader(500)
		w.Header().Set("X-Late", "1")
		_, _ = io.WriteString(w, text)
	},
	"/trailers": func(w http.ResponseWriter, text string) {
		w.Header().Add("Trailer", "X-One, x-two")
		w.Header().Add("Trailer", "Content-Length")
		_, _ = io.WriteString(w, text)
		w.Header().Set("X-One", "1")
		w.Header()["X-Two"] = []string{"2", "3"}
		w.Header().Set(http.TrailerPrefix+"X-Three", "4")
	},
	"/latetrailer": func(w http.ResponseWriter, text string) {
		_, _ = io.WriteString(w, big)
		w.Header().Set(http.TrailerPrefix+"X-Three", "4")
	},
	"/split": func(w http.ResponseWriter, text string) {
		w.Header()["X-Split"] = []string{"a\r\nX-Injected: 1", "\n b \r"}
		w.Header()["Bad Name"] = []string{"x"}
		_, _ = io.WriteString(w, text)
	},
	"/types": func(w http.ResponseWriter, _ string) { _, _ = io.WriteString(w, "<html><body>x") },
	"/notype": func(w http.ResponseWriter, text string) {
		w.Header()["Content-Type"] = nil
		w.Header()["Date"] = nil
		_, _ = io.WriteString(w, text)
	},
	"/encoded": func(w http.ResponseWriter, text string) {
		w.Header().Set("Content-Encoding", "x")
		_, _ = io.WriteString(w, text)
	},
	"/abort": func(http.ResponseWriter, string) { panic(http.ErrAbortHandler) },
	"/aborted": func(w http.ResponseWriter, _ string) {
		_, _ = io.WriteString(w, "partial")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	},
	"/hijack": func(w http.ResponseWriter, text string) {
		c, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		rest, _ := io.ReadAll(rw)
		_, _ = fmt.Fprintf(rw, "HTTP/1.1 101 Switching Protocols\r\nX-Method: HIJACK\r\n\r\n%s%q", text, rest)
		_ = rw.Flush()
		_ = c.Close()
	},
	"/duplex": func(w http.ResponseWriter, text string) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = io.WriteString(w, text)
	},
	"/deadlines": func(w http.ResponseWriter, text string) {
		rc := http.NewResponseController(w)
		if err := errors.Join(rc.SetReadDeadline(time.Now().Add(time.Hour)), rc.SetWriteDeadline(time.Now().Add(time.Hour)), rc.Flush()); err != nil {
			panic(err)
		}
		_, _ = io.WriteString(w, text)
	},
}

func describe(r *http.Request, body []byte) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q %q %s host=%q length=%d coding=%v close=%v remote=%s\n", r.Method, r.RequestURI, r.URL, r.Proto, r.Host, r.ContentLength, r.TransferEncoding, r.Close, r.RemoteAddr)
	describeHeader(&b, r.Header)
	fmt.Fprintf(&b, "%q\n", body)
	describeHeader(&b, r.Trailer)
	return b.String()
}

func describeHeader(b *strings.Builder, h http.Header) {
	for _, k := range slices.Sorted(func(yield func(string) bool) {
		for k := range h {
			if !yield(k) {
				return
			}
		}
	}) {
		fmt.Fprintf(b, "%s: %q\n", k, h[k])
	}
}

// answer is one response as a client understands it.
type answer struct {
	status  int
	line    string
	fields  []string // sorted, without Date
	body    string
	trailer []string
	ended   bool // the body is cut off, or only the connection's end bounds it
	handler bool // it comes from the handler, not from the server itself
}

func (a answer) get(name string) string {
	for _, f := range a.fields {
		if v, ok := strings.CutPrefix(f, name+": "); ok {
			return v
		}
	}
	return ""
}

func (a answer) String() string {
	return fmt.Sprintf("%s\n\t%s\n\tbody %q\n\ttrailer %q ended %v", a.line, strings.Join(a.fields, "\n\t"), shorten(a.body), a.trailer, a.ended)
}

// shorten keeps both ends of a long body, and its length.
func shorten(s string) string {
	if len(s) < 1000 {
		return s
	}
	return fmt.Sprintf("%s ... %d bytes, crc %08x ... %s", s[:200], len(s), crc32.ChecksumIEEE([]byte(s)), s[len(s)-200:])
}

// answers takes a server's output apart.
func answers(out []byte) ([]answer, error) {
	r := bufio.NewReader(bytes.NewReader(out))
	var all []answer
	for {
		if _, err := r.Peek(1); err != nil {
			return all, nil
		}
		a, err := readAnswer(r)
		if err != nil {
			return all, fmt.Errorf("after %d answers: %w in %q", len(all), err, out)
		}
		all = append(all, a)
	}
}

func readAnswer(r *bufio.Reader) (answer, error) {
	var a answer
	line, err := r.ReadString('\n')
	if err != nil {
		return a, err
	}
	a.line = strings.TrimSuffix(line, "\r\n")
	if len(a.line) < 12 {
		return a, fmt.Errorf("status line %q", line)
	}
	if a.status, err = strconv.Atoi(a.line[9:12]); err != nil {
		return a, err
	}
	h, err := textproto.NewReader(r).ReadMIMEHeader()
	if err != nil {
		return a, err
	}
	a.fields = sortedFields(h)
	a.handler = h.Get("X-Method") != ""
	switch {
	case a.status == 101 && a.handler:
		rest, _ := io.ReadAll(r)
		a.body = string(rest)
	case a.status < 200, a.status == 204, a.status == 304, h.Get("X-Method") == "HEAD":
	case h.Get("Transfer-Encoding") == "chunked":
		return a, readChunkedAnswer(&a, r)
	case h.Get("Content-Length") != "":
		n, err := strconv.Atoi(h.Get("Content-Length"))
		if err != nil {
			return a, err
		}
		body, _ := io.ReadAll(io.LimitReader(r, int64(n)))
		a.body, a.ended = string(body), len(body) < n
	default:
		rest, _ := io.ReadAll(r)
		a.body, a.ended = string(rest), true
	}
	return a, nil
}

func sortedFields(h textproto.MIMEHeader) []string {
	var fields []string
	for k, vv := range h {
		if k == "Date" {
			vv = []string{"a date"}
		}
		for _, v := range vv {
			fields = append(fields, k+": "+v)
		}
	}
	sort.Strings(fields)
	return fields
}

func readChunkedAnswer(a *answer, r *bufio.Reader) error {
	var body strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			a.body, a.ended = body.String(), true
			return nil
		}
		n, err := strconv.ParseInt(strings.TrimSuffix(line, "\r\n"), 16, 64)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		if _, err := io.CopyN(&body, r, n); err != nil {
			a.body, a.ended = body.String(), true
			return nil
		}
		if end, err := r.ReadString('\n'); end != "\r\n" && err == nil {
			return fmt.Errorf("chunk ends with %q", end)
		}
	}
	a.body = body.String()
	t, err := textproto.NewReader(r).ReadMIMEHeader()
	a.trailer = sortedFields(t)
	return err
}
