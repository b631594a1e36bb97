package h1_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// stricter is the list of all differences from net/http: what we refuse and it accepts, by the reason that we give. net/http
// answers such requests, or answers them with another 4xx or 5xx.
var stricter = map[string]string{
	"line ends without CR":                       "net/http ends a line of the head at a bare LF. A proxy that does not would see another request (RFC 9112, 2.2).",
	"folded header line":                         "net/http joins folded lines. RFC 9112, 5.2 lets a server refuse them, and others see two headers.",
	"conflicting message lengths":                "net/http prefers Transfer-Encoding to Content-Length, takes repeated equal lengths, and ignores the coding in HTTP/1.0 (RFC 9112, 6.1 and 6.3).",
	"unsupported protocol version":               "net/http takes HTTP/1.2 to 1.9, which do not exist.",
	"request line too long":                      "net/http has one limit for the whole head, of 1 MiB.",
	"too many header lines":                      "net/http has no limit of lines.",
	"header too large":                           "net/http's limit is 1 MiB and ours 64 KiB.",
	"invalid header name":                        "net/http takes names with bytes that it then does not make canonical, and reads a request without Host first.",
	"forbidden trailer":                          "net/http takes Content-Length and the like as trailers when they were not promised.",
	"missing, repeated or malformed Host header": "net/http gives the same status, in another order of checks.",
}

// stricterBody is the same for what a handler sees as an error when it reads a body.
var stricterBody = map[string]string{
	"h1: malformed chunked body: invalid chunk size":                     "net/http takes 16 digits and skips sizes with blanks before an extension alike.",
	"h1: malformed chunked body: a line ends without CR, or is too long": "net/http takes extensions up to 4 KiB.",
	"h1: malformed chunked body: a line is longer than 1024 bytes":       "net/http takes extensions up to 4 KiB.",
	"h1: malformed chunked body: more framing than data":                 "net/http counts alike, but the sizes of lines differ by the blanks in them.",
	"forbidden trailer":    "see stricter.",
	"invalid header name":  "net/http takes names of trailers that are no tokens.",
	"folded header line":   "see stricter.",
	"invalid header value": "net/http checks no values of trailers.",
}

// pair runs the same input through both servers.
type pair struct {
	ours, reference func(net.Conn)
}

func newPair(t testing.TB) pair {
	h := http.HandlerFunc(echo)
	return pair{ours(t, h, nil).ServeConn, reference(t, h)}
}

func (p pair) run(t testing.TB, input string, sizes []byte) (mine, theirs []answer) {
	a, b := newScript([]byte(input), sizes), newScript([]byte(input), sizes)
	p.ours(a)
	p.reference(b)
	mine, err := answers(a.wait(t))
	if err != nil {
		t.Errorf("our output is malformed: %v", err)
	}
	if theirs, err = answers(b.wait(t)); err != nil {
		t.Errorf("net/http's output is malformed: %v", err)
	}
	return mine, theirs
}

// difference compares answer by answer until one side ends, and answers "" when only known differences are found.
func difference(mine, theirs []answer) string {
	for i := range max(len(mine), len(theirs)) {
		switch {
		case i >= len(mine):
			return fmt.Sprintf("answer %d of net/http has no counterpart:\n%s", i, theirs[i])
		case !mine[i].handler && mine[i].status >= 400 && known(stricter, reason(mine[i])):
			return "" // what follows a request refused on purpose does not compare
		case i >= len(theirs) && i == len(mine)-1 && !mine[i].handler && mine[i].status == 400:
			return "" // net/http closes without a word when fewer than four bytes follow a request
		case i >= len(theirs):
			return fmt.Sprintf("our answer %d has no counterpart:\n%s", i, mine[i])
		case known(stricterBody, mine[i].get("X-Body-Error")), contradictory(theirs[i]):
			return ""
		case mine[i].handler != theirs[i].handler:
			return fmt.Sprintf("answer %d: one is refused and the other not\nours %s\nnet/http %s", i, mine[i], theirs[i])
		case !mine[i].handler && mine[i].status/100 == theirs[i].status/100:
			// Refused by both, or informational; the text is each one's own.
		case normal(mine[i]) != normal(theirs[i]):
			return fmt.Sprintf("answer %d\nours %s\nnet/http %s", i, normal(mine[i]), normal(theirs[i]))
		}
	}
	return ""
}

// contradictory: an HTTP/1.0 client that asks for keep-alive and close gets keep-alive from net/http, and from us what RFC
// 9112, section 9.3 says.
func contradictory(a answer) bool {
	_, connection, _ := strings.Cut(strings.ToLower(a.body), "connection: ")
	return strings.HasPrefix(a.line, "HTTP/1.0") && strings.Contains(connection, "keep-alive") && strings.Contains(connection, "close")
}

// normal leaves out the words of body errors, and whether it is said that the connection ends after one, which net/http
// sometimes forgets.
func normal(a answer) string {
	e := a.get("X-Body-Error")
	if e == "" {
		return a.String()
	}
	a.fields = slices.DeleteFunc(slices.Clone(a.fields), func(f string) bool { return f == "Connection: close" })
	return strings.ReplaceAll(a.String(), e, "(an error)")
}

func reason(a answer) string {
	_, text, _ := strings.Cut(strings.TrimSuffix(a.body, "\n"), ": ")
	return text
}

func known(list map[string]string, reason string) bool { _, ok := list[reason]; return ok }

// get and post build the corpus' requests.
func get(path string, fields ...string) string { return request("GET", path, "", fields...) }

func request(method, path, body string, fields ...string) string {
	return method + " " + path + " HTTP/1.1\r\nHost: a.example\r\n" + lines(fields) + "\r\n" + body
}

func lines(fields []string) string {
	if len(fields) == 0 {
		return ""
	}
	return strings.Join(fields, "\r\n") + "\r\n"
}

func post(path, body string, fields ...string) string {
	return request("POST", path, body, append([]string{fmt.Sprintf("Content-Length: %d", len(body))}, fields...)...)
}

func chunked(path, raw string, fields ...string) string {
	return request("POST", path, raw, append([]string{"Transfer-Encoding: chunked"}, fields...)...)
}

// corpus is what both servers are asked, beside all ways of the echo handler.
var corpus = map[string]string{
	"simple":                   get("/"),
	"two in a row":             get("/a") + get("/b"),
	"query":                    get("/a/b?c=d&e=%20f"),
	"asterisk":                 request("OPTIONS", "*", ""),
	"absolute target":          get("http://b.example/x"),
	"absolute https target":    get("https://b.example:8443/x?y"),
	"connect":                  request("CONNECT", "b.example:443", ""),
	"connect without port":     request("CONNECT", "b.example", ""),
	"connect with a path":      request("CONNECT", "/rpc", ""),
	"head":                     request("HEAD", "/", ""),
	"head, big":                request("HEAD", "/big", ""),
	"head, length":             request("HEAD", "/length", "") + get("/"),
	"unknown method":           request("BREW", "/", ""),
	"odd method":               request("!#$%&'*+-.^_`|~", "/", ""),
	"lower case method":        request("get", "/", ""),
	"invalid method":           request("G(T", "/", ""),
	"empty method":             " / HTTP/1.1\r\nHost: a\r\n\r\n",
	"no version":               "GET /\r\nHost: a\r\n\r\n",
	"two blanks":               "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
	"blank in target":          "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
	"tab in request line":      "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
	"blank after version":      "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
	"version 1.0":              "GET / HTTP/1.0\r\n\r\n",
	"version 1.0, kept alive":  "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n",
	"version 1.0, host":        "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
	"version 1.2":              "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
	"version 0.9":              "GET / HTTP/0.9\r\nHost: a\r\n\r\n",
	"version 2.0":              "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
	"http/2 preface":           "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	"version 11":               "GET / HTTP/11\r\nHost: a\r\n\r\n",
	"lower case version":       "GET / http/1.1\r\nHost: a\r\n\r\n",
	"empty line first":         "\r\n" + get("/"),
	"empty line after a POST":  post("/", "abc") + "\r\n" + get("/"),
	"empty line after a GET":   get("/") + "\r\n" + get("/"),
	"stray byte":               get("/") + "0",
	"stray line end":           get("/") + "\r\n",
	"only empty lines":         "\r\n\r\n",
	"nothing":                  "",
	"cut in the request line":  "GET / HT",
	"cut after the line":       "GET / HTTP/1.1\r\n",
	"cut in a header":          "GET / HTTP/1.1\r\nHost: a",
	"cut before the end":       "GET / HTTP/1.1\r\nHost: a\r\n",
	"control byte in target":   "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
	"high byte in target":      "GET /\xff\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n",
	"bad escape in target":     get("/%zz"),
	"target without slash":     get("abc"),
	"target of two slashes":    get("//a/b"),
	"fragment":                 get("/a#b"),
	"empty target":             "GET  HTTP/1.1\r\nHost: a\r\n\r\n",
	"no host":                  "GET / HTTP/1.1\r\n\r\n",
	"empty host":               "GET / HTTP/1.1\r\nHost:\r\n\r\n",
	"two hosts":                "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
	"bad host":                 "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
	"host with a slash":        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
	"host with at":             "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
	"host with brackets":       "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
	"host of sub-delims":       "GET / HTTP/1.1\r\nHost: a!$'()*+,;=_~%25&b\r\n\r\n",
	"many headers":             get("/", "A: 1", "b: 2", "X-Long-Name: v w", "A: 3", "accept-encoding: gzip", "COOKIE: x=y"),
	"blanks around a value":    get("/", "A: \t x \t "),
	"blanks in a value":        get("/", "A: x  \t y"),
	"empty value":              get("/", "A:", "B: "),
	"no colon":                 get("/", "abc"),
	"empty name":               get("/", ": x"),
	"blank before colon":       get("/", "A : x"),
	"tab before colon":         get("/", "A\t: x"),
	"blank in name":            get("/", "A b: x"),
	"slash in name":            get("/", "A/b: x"),
	"high byte in name":        get("/", "\xe4: x"),
	"control byte in name":     get("/", "A\x01: x"),
	"null in value":            get("/", "A: \x00"),
	"control byte in value":    get("/", "A: x\x01y"),
	"delete in value":          get("/", "A: x\x7fy"),
	"high byte in value":       get("/", "A: \xff"),
	"bare CR in value":         get("/", "A: x\ry"),
	"bare CR before the end":   get("/", "A: x\r"),
	"bare LF in value":         get("/", "A: x\nB: y"),
	"bare LF after the line":   "GET / HTTP/1.1\nHost: a\r\n\r\n",
	"bare LF everywhere":       "GET / HTTP/1.1\nHost: a\n\n",
	"bare LF at the end":       "GET / HTTP/1.1\r\nHost: a\r\n\n",
	"folded":                   get("/", "A: x", " y"),
	"folded with tab":          get("/", "A: x", "\ty"),
	"folded first line":        "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
	"folded empty":             get("/", "A: x", " "),
	"pragma":                   get("/", "Pragma: no-cache"),
	"pragma and cache control": get("/", "Pragma: no-cache", "Cache-Control: max-age=0"),
	"close":                    get("/", "Connection: close") + get("/"),
	"close in a list":          get("/", "Connection: x, Close") + get("/"),
	"close in a second line":   get("/", "Connection: x", "Connection: close") + get("/"),
	"close after a blank":      get("/", "Connection: x Close") + get("/"),
	"keep-alive":               get("/", "Connection: keep-alive") + get("/"),
	"upgrade, ignored":         get("/", "Connection: Upgrade", "Upgrade: h2c") + get("/"),

	"body":                       post("/", "hello") + get("/"),
	"body of a GET":              request("GET", "/", "hello", "Content-Length: 5") + get("/"),
	"empty body":                 post("/", "") + get("/"),
	"large body":                 post("/", big) + get("/"),
	"body not read":              post("/early", "hello") + get("/"),
	"large body not read":        post("/early", big) + get("/"),
	"huge body not read":         post("/early", strings.Repeat(big, 3)) + get("/"),
	"huge chunked body not read": chunked("/early", strings.Repeat("20000\r\n"+big+"\r\n", 3)+"0\r\n\r\n") + get("/"),
	"chunked body not read":      chunked("/early", "5\r\nhello\r\n0\r\n\r\n") + get("/"),
	"bad chunked not read":       chunked("/early", "5\r\nhelloX\r\n0\r\n\r\n") + get("/"),
	"body cut":                   request("POST", "/", "hel", "Content-Length: 5"),
	"body cut, not read":         request("POST", "/early", "hel", "Content-Length: 5"),
	"no length":                  request("POST", "/", "") + get("/"),
	"version 1.0 body":           "POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc",
	"version 1.0 chunked":        "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
	"equal lengths":              request("POST", "/", "abc", "Content-Length: 3", "Content-Length: 3"),
	"unequal lengths":            request("POST", "/", "abc", "Content-Length: 3", "Content-Length: 4"),
	"list of lengths":            request("POST", "/", "abc", "Content-Length: 3, 3"),
	"signed length":              request("POST", "/", "abc", "Content-Length: +3"),
	"negative length":            request("POST", "/", "abc", "Content-Length: -3"),
	"hexadecimal length":         request("POST", "/", "abc", "Content-Length: 0x3"),
	"length with underscore":     request("POST", "/", "abc", "Content-Length: 1_0"),
	"length with zeros":          request("POST", "/", "abc", "Content-Length: 003"),
	"length out of range":        request("POST", "/", "abc", "Content-Length: 99999999999999999999"),
	"empty length":               request("POST", "/", "abc", "Content-Length:"),
	"length with blank":          request("POST", "/", "abc", "Content-Length: 1 2"),
	"length and chunked":         request("POST", "/", "3\r\nabc\r\n0\r\n\r\n", "Content-Length: 3", "Transfer-Encoding: chunked"),
	"chunked and length":         request("POST", "/", "3\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked", "Content-Length: 13"),
	"length 0 and chunked":       request("POST", "/", "3\r\nabc\r\n0\r\n\r\n", "Content-Length: 0", "Transfer-Encoding: chunked") + get("/"),

	"chunked":                 chunked("/", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n") + get("/"),
	"chunked, upper case":     request("POST", "/", "A\r\n0123456789\r\n0\r\n\r\n", "Transfer-Encoding: Chunked"),
	"chunked, empty":          chunked("/", "0\r\n\r\n") + get("/"),
	"chunked, zeros":          chunked("/", "0003\r\nabc\r\n000\r\n\r\n") + get("/"),
	"chunked twice":           request("POST", "/", "0\r\n\r\n", "Transfer-Encoding: chunked, chunked"),
	"chunked in two lines":    request("POST", "/", "0\r\n\r\n", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
	"gzip, chunked":           request("POST", "/", "0\r\n\r\n", "Transfer-Encoding: gzip, chunked"),
	"identity":                request("POST", "/", "abc", "Transfer-Encoding: identity"),
	"unknown coding":          request("POST", "/", "abc", "Transfer-Encoding: xchunked"),
	"empty coding":            request("POST", "/", "abc", "Transfer-Encoding:"),
	"coding with vt":          request("POST", "/", "0\r\n\r\n", "Transfer-Encoding: \x0bchunked"),
	"coding with semicolon":   request("POST", "/", "0\r\n\r\n", "Transfer-Encoding: chunked;q=1"),
	"chunk extension":         chunked("/", "3;a=b\r\nabc\r\n0;c\r\n\r\n") + get("/"),
	"chunk extension quoted":  chunked("/", "3;a=\"b;c\"\r\nabc\r\n0\r\n\r\n") + get("/"),
	"chunk blank after size":  chunked("/", "3 \r\nabc\r\n0\r\n\r\n") + get("/"),
	"chunk blank before size": chunked("/", " 3\r\nabc\r\n0\r\n\r\n"),
	"chunk size missing":      chunked("/", "\r\nabc\r\n0\r\n\r\n"),
	"chunk size only ext":     chunked("/", ";a\r\nabc\r\n0\r\n\r\n"),
	"chunk size invalid":      chunked("/", "g\r\nabc\r\n0\r\n\r\n"),
	"chunk size signed":       chunked("/", "+3\r\nabc\r\n0\r\n\r\n"),
	"chunk size negative":     chunked("/", "-3\r\nabc\r\n0\r\n\r\n"),
	"chunk size 0x":           chunked("/", "0x3\r\nabc\r\n0\r\n\r\n"),
	"chunk size too large":    chunked("/", "fffffffffffffffff\r\nabc\r\n0\r\n\r\n"),
	"chunk size 16 digits":    chunked("/", "0000000000000003\r\nabc\r\n0\r\n\r\n"),
	"chunk too short":         chunked("/", "5\r\nabc\r\n0\r\n\r\n"),
	"chunk too long":          chunked("/", "2\r\nabc\r\n0\r\n\r\n"),
	"chunk with bare LF":      chunked("/", "3\nabc\r\n0\r\n\r\n"),
	"chunk end with bare LF":  chunked("/", "3\r\nabc\n0\r\n\r\n"),
	"chunk ext with CR":       chunked("/", "3;a\rb\r\nabc\r\n0\r\n\r\n"),
	"chunk ext with LF":       chunked("/", "3;a\nb\r\nabc\r\n0\r\n\r\n"),
	"chunked cut":             chunked("/", "3\r\nab"),
	"chunked cut at end":      chunked("/", "3\r\nabc\r\n0\r\n"),
	"many small chunks":       chunked("/", strings.Repeat("1\r\nx\r\n", 5000)+"0\r\n\r\n") + get("/"),
	"wasteful chunks":         chunked("/", strings.Repeat("1;"+strings.Repeat("y", 200)+"\r\nx\r\n", 200)+"0\r\n\r\n"),
	"long extension":          chunked("/", "1;"+strings.Repeat("y", 2000)+"\r\nx\r\n0\r\n\r\n"),

	"trailers":               chunked("/", "3\r\nabc\r\n0\r\nX-A: 1\r\nX-B: 2\r\nx-a: 3\r\n\r\n", "Trailer: X-A, x-b") + get("/"),
	"trailers unpromised":    chunked("/", "3\r\nabc\r\n0\r\nX-A: 1\r\n\r\n") + get("/"),
	"trailers missing":       chunked("/", "3\r\nabc\r\n0\r\n\r\n", "Trailer: X-A") + get("/"),
	"trailer forbidden":      chunked("/", "0\r\n\r\n", "Trailer: Content-Length"),
	"trailer forbidden late": chunked("/", "3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n") + get("/"),
	"trailer without colon":  chunked("/", "3\r\nabc\r\n0\r\nabc\r\n\r\n"),
	"trailer with bare LF":   chunked("/", "3\r\nabc\r\n0\r\nA: b\n\r\n"),
	"trailer of a length":    post("/", "abc", "Trailer: X-A") + get("/"),
	"empty trailer":          chunked("/", "0\r\n\r\n", "Trailer: ,"),

	"expect":              request("POST", "/", "hello", "Expect: 100-continue", "Content-Length: 5") + get("/"),
	"expect, chunked":     chunked("/", "3\r\nabc\r\n0\r\n\r\n", "Expect: 100-Continue") + get("/"),
	"expect, not read":    request("POST", "/early", "hello", "Expect: 100-continue", "Content-Length: 5") + get("/"),
	"expect without body": get("/", "Expect: 100-continue") + get("/"),
	"expect, version 1.0": "POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
	"expect the unknown":  get("/", "Expect: miracle"),
	"expect nothing":      get("/", "Expect:"),

	"smuggled by length":   request("POST", "/", "0\r\n\r\n"+get("/admin"), "Content-Length: 5", "Transfer-Encoding: chunked"),
	"smuggled by coding":   request("POST", "/", "0\r\n\r\n"+get("/admin"), "Content-Length: 40", "Transfer-Encoding : chunked"),
	"smuggled by folding":  request("POST", "/", "0\r\n\r\n"+get("/admin"), "X: y", " Transfer-Encoding: chunked", "Content-Length: 40"),
	"smuggled by tab":      request("POST", "/", "0\r\n\r\n"+get("/admin"), "Transfer-Encoding:\tchunked", "Content-Length: 40"),
	"smuggled by CR":       request("POST", "/", "0\r\n\r\n"+get("/admin"), "X: y\rTransfer-Encoding: chunked", "Content-Length: 5"),
	"smuggled by LF":       request("POST", "/", "0\r\n\r\n"+get("/admin"), "X: y\nTransfer-Encoding: chunked", "Content-Length: 5"),
	"smuggled by a list":   request("POST", "/", "0\r\n\r\n"+get("/admin"), "Transfer-Encoding: identity, chunked", "Content-Length: 5"),
	"smuggled by quotes":   request("POST", "/", "0\r\n\r\n"+get("/admin"), "Transfer-Encoding: \"chunked\"", "Content-Length: 5"),
	"smuggled by version":  "POST / HTTP/1.0\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get("/admin"),
	"hidden behind a body": post("/", get("/admin")) + get("/"),
	"many header lines":    get("/", manyLines(300)...),
	"large header":         get("/", "A: "+strings.Repeat("x", 70<<10)),
	"long request line":    get("/" + strings.Repeat("x", 20<<10)),
	"medium header":        get("/", "A: "+strings.Repeat("x", 30<<10)) + get("/"),
	"medium request line":  get("/"+strings.Repeat("x", 10<<10)) + get("/"),
}

func manyLines(n int) []string {
	var l []string
	for i := range n {
		l = append(l, fmt.Sprintf("X-%d: %d", i, i))
	}
	return l
}

// seeds are the corpus and every way to answer, to requests of all kinds.
func seeds() map[string]string {
	all := map[string]string{}
	for name, input := range corpus {
		all[name] = input
	}
	for way := range ways {
		all[way] = get(way) + post(way, "hello") + chunked(way, "3\r\nabc\r\n0\r\nX-T: u\r\n\r\n") + request("HEAD", way, "") + get("/")
		all[way+" HTTP/1.0"] = "GET " + way + " HTTP/1.0\r\n\r\n"
		all[way+" HTTP/1.0 kept alive"] = "GET " + way + " HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n"
		all[way+" closing"] = get(way, "Connection: close")
		all[way+" expect"] = post(way, "hello", "Expect: 100-continue") + get("/")
	}
	return all
}

// TestSameAsNetHTTP sends the corpus to both servers, whole, byte by byte, and in random pieces.
func TestSameAsNetHTTP(t *testing.T) {
	p := newPair(t)
	for name, input := range seeds() {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(1, uint64(len(input))))
			splits := [][]byte{nil, randomSizes(random, 255), randomSizes(random, 40)}
			if len(input) < 4096 {
				splits = append(splits, []byte{0}, randomSizes(random, 4))
			}
			for _, sizes := range splits {
				if d := difference(p.run(t, input, sizes)); d != "" {
					t.Fatalf("%q in pieces %v:\n%s", clip(input), sizes, d)
				}
			}
		})
	}
}

func clip(s string) string { return s[:min(len(s), 600)] }

func randomSizes(r *rand.Rand, limit int) []byte {
	sizes := make([]byte, 16)
	for i := range sizes {
		sizes[i] = byte(r.IntN(limit))
	}
	return sizes
}

// TestRefused: what must not pass, whatever net/http does.
func TestRefused(t *testing.T) {
	p := newPair(t)
	for name, want := range map[string]int{
		"length and chunked": 400, "chunked and length": 400, "length 0 and chunked": 400, "equal lengths": 400, "unequal lengths": 400,
		"version 1.0 chunked": 400, "version 1.2": 505, "http/2 preface": 505, "bare LF in value": 400, "bare LF everywhere": 400,
		"bare CR in value": 400, "bare CR before the end": 400, "folded": 400, "folded with tab": 400, "folded first line": 400, "blank before colon": 400, "tab before colon": 400,
		"empty name": 400, "high byte in name": 400, "no host": 400, "two hosts": 400, "bad host": 400, "many header lines": 431, "large header": 431,
		"long request line": 414, "gzip, chunked": 501, "expect the unknown": 417, "smuggled by length": 400, "smuggled by coding": 400, "smuggled by folding": 400,
		"smuggled by CR": 400, "smuggled by LF": 400, "smuggled by version": 400, "cut in a header": 400, "two blanks": 400, "empty length": 400,
	} {
		s := newScript([]byte(corpus[name]), nil)
		p.ours(s)
		all, err := answers(s.wait(t))
		if err != nil || len(all) != 1 || all[0].handler || all[0].status != want || all[0].get("Connection") != "close" {
			t.Errorf("%s: got %v, %v; want %d and the connection's end", name, all, err, want)
		}
	}
}

// FuzzSameAsNetHTTP looks for bytes that the two servers understand differently.
func FuzzSameAsNetHTTP(f *testing.F) {
	for _, input := range seeds() {
		if len(input) < 2048 {
			f.Add([]byte(input), []byte{7, 255, 0, 31})
		}
	}
	p := newPair(f)
	f.Fuzz(func(t *testing.T, input, sizes []byte) {
		if len(input) > 16<<10 || len(sizes) > 64 {
			t.Skip()
		}
		if d := difference(p.run(t, string(input), sizes)); d != "" {
			t.Errorf("%q in pieces %v:\n%s", input, sizes, d)
		}
	})
}
