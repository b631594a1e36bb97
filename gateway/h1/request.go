package h1

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// head is a parsed request head.
type head struct {
	req     http.Request // without body and context
	expects bool         // Expect: 100-continue, with a body to wait for
}

// parse reads a complete head: a request line and count-1 header lines, each ended by CRLF, and an empty line. Everything
// that h keeps of the text is a part of it, so that a request's head costs one allocation for its bytes.
func (h *head) parse(text string, count int) error {
	line, rest, _ := strings.Cut(text, "\r\n")
	if err := h.requestLine(line); err != nil {
		return err
	}
	if err := h.fields(rest, count-1); err != nil {
		return err
	}
	if err := h.host(); err != nil {
		return err
	}
	return h.framing()
}

func (h *head) requestLine(line string) error {
	r := &h.req
	method, rest, ok := strings.Cut(line, " ")
	if !ok || !isToken(method) {
		return errMalformed
	}
	target, proto, ok := strings.Cut(rest, " ")
	if !ok {
		return errMalformed
	}
	r.Method, r.RequestURI, r.Proto, r.ProtoMajor = method, target, proto, 1
	switch proto {
	case "HTTP/1.1":
		r.ProtoMinor = 1
	case "HTTP/1.0":
	default:
		if _, _, ok := http.ParseHTTPVersion(proto); ok {
			return errVersion
		}
		return errMalformed
	}
	return h.target(target)
}

// target parses what is requested. CONNECT names only an authority, except for those who use it with a path (net/rpc).
func (h *head) target(target string) error {
	r := &h.req
	authority := r.Method == http.MethodConnect && !strings.HasPrefix(target, "/")
	if authority {
		target = "http://" + target
	}
	var err error
	if r.URL, err = url.ParseRequestURI(target); err != nil {
		return errInvalidTarget
	}
	if authority {
		r.URL.Scheme = ""
	}
	return nil
}

// fields fills the header. Values of different names share one array, each cut to its length, so that an append to one
// cannot reach another.
func (h *head) fields(text string, count int) error {
	header := make(http.Header, count)
	values := make([]string, count)
	for text != "\r\n" {
		line, rest, _ := strings.Cut(text, "\r\n")
		text = rest
		name, value, err := field(line)
		if err != nil {
			return err
		}
		if earlier := header[name]; earlier != nil {
			header[name] = append(earlier, value)
			continue
		}
		values[0] = value
		header[name] = values[:1:1]
		values = values[1:]
	}
	h.req.Header = header
	return nil
}

// host checks the Host header and settles which host is asked for: a target that names one wins (RFC 9112, section 3.2.2).
func (h *head) host() error {
	r := &h.req
	hosts := r.Header["Host"]
	switch {
	case len(hosts) > 1, len(hosts) == 1 && !all(hosts[0], hostByte):
		return errHost
	case len(hosts) == 0 && r.ProtoMinor == 1 && r.Method != http.MethodConnect:
		return errHost
	}
	r.Host = r.URL.Host
	if r.Host == "" && len(hosts) == 1 {
		r.Host = hosts[0]
	}
	delete(r.Header, "Host")
	return nil
}

// framing settles where the request ends (RFC 9112, section 6.3) and whether the connection goes on. Wherever two readers
// could find different ends, the request is refused.
func (h *head) framing() error {
	r := &h.req
	lengths, codings := r.Header["Content-Length"], r.Header["Transfer-Encoding"]
	switch {
	case len(codings) > 0 && (len(lengths) > 0 || r.ProtoMinor == 0), len(lengths) > 1:
		return errLengths
	case len(codings) > 1, len(codings) == 1 && !strings.EqualFold(codings[0], "chunked"):
		return errCoding
	case len(codings) == 1:
		delete(r.Header, "Transfer-Encoding")
		r.ContentLength, r.TransferEncoding = -1, []string{"chunked"}
		if err := h.declareTrailers(); err != nil {
			return err
		}
	case len(lengths) == 1:
		n, err := strconv.ParseUint(lengths[0], 10, 63)
		if err != nil {
			return errLength
		}
		r.ContentLength = int64(n)
	}
	connection := r.Header["Connection"]
	r.Close = anyListed(connection, "close") || r.ProtoMinor == 0 && !anyListed(connection, "keep-alive")
	if pragma := r.Header["Pragma"]; len(pragma) > 0 && pragma[0] == "no-cache" && r.Header["Cache-Control"] == nil {
		r.Header["Cache-Control"] = []string{"no-cache"} // as net/http does (RFC 9111, section 5.4)
	}
	return h.expectation()
}

func (h *head) expectation() error {
	expect, ok := h.req.Header["Expect"]
	switch {
	case !ok || expect[0] == "":
	case !listed(expect[0], "100-continue"):
		return errExpectation
	default:
		h.expects = h.req.ProtoMinor == 1 && h.req.ContentLength != 0
	}
	return nil
}

// declareTrailers moves the names that the client promises from the header to the request's trailer, without values.
func (h *head) declareTrailers() error {
	lists, ok := h.req.Header["Trailer"]
	if !ok {
		return nil
	}
	delete(h.req.Header, "Trailer")
	trailer := http.Header{}
	for _, list := range lists {
		for name := range strings.SplitSeq(list, ",") {
			name = http.CanonicalHeaderKey(trim(name))
			switch {
			case name == "":
			case forbiddenTrailer(name):
				return errTrailer
			default:
				trailer[name] = nil
			}
		}
	}
	if len(trailer) > 0 {
		h.req.Trailer = trailer
	}
	return nil
}

// forbiddenTrailer names the fields that say where a message ends or goes, which must not come after the fact (RFC 9110,
// section 6.5.1).
func forbiddenTrailer(name string) bool {
	switch name {
	case "Transfer-Encoding", "Trailer", "Content-Length", "Host":
		return true
	}
	return false
}
