package h1

import (
	"net/http"
	"net/textproto"
	"strings"
)

// refusal is why a request is answered here and the connection ends.
type refusal struct {
	status int
	reason string
}

func (r *refusal) Error() string { return r.reason }

func bad(reason string) *refusal { return &refusal{http.StatusBadRequest, reason} }

// The refusals that more than one place gives. They name no value: what a client sent is not sent back.
var (
	errBareLF        = bad("line ends without CR")
	errHeaderBytes   = &refusal{http.StatusRequestHeaderFieldsTooLarge, "header too large"}
	errHeaderCount   = &refusal{http.StatusRequestHeaderFieldsTooLarge, "too many header lines"}
	errRequestLine   = &refusal{http.StatusRequestURITooLong, "request line too long"}
	errHeaderName    = bad("invalid header name")
	errHeaderValue   = bad("invalid header value")
	errFolded        = bad("folded header line")
	errHeadCut       = bad("request ends within its head")
	errHeadTimeout   = &refusal{http.StatusRequestTimeout, "request head took too long"}
	errVersion       = &refusal{http.StatusHTTPVersionNotSupported, "unsupported protocol version"}
	errLengths       = bad("conflicting message lengths")
	errLength        = bad("invalid Content-Length")
	errCoding        = &refusal{http.StatusNotImplemented, "unsupported transfer encoding"}
	errHost          = bad("missing, repeated or malformed Host header")
	errTrailer       = bad("forbidden trailer")
	errExpectation   = &refusal{http.StatusExpectationFailed, "unknown expectation"}
	errMalformed     = bad("malformed request line")
	errInvalidTarget = bad("invalid request target")
)

// Classes of bytes.
const (
	tokenByte uint8 = 1 << iota // RFC 9110, section 5.6.2
	valueByte                   // RFC 9110, section 5.5: visible, space, tab, and above ASCII
	hostByte                    // what may stand in a Host header: RFC 3986's host and port, percent-encoding included
)

var classes = func() (t [256]uint8) {
	for c := range 256 {
		if c >= 0x20 && c != 0x7f || c == '\t' {
			t[c] |= valueByte
		}
	}
	for c := '0'; c <= 'z'; c++ {
		if c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c {
			t[c] |= tokenByte | hostByte
		}
	}
	for _, c := range []byte("!#$%&'*+-.^_`|~") {
		t[c] |= tokenByte
	}
	for _, c := range []byte("!$%()*+,-.:;=[]_~'") {
		t[c] |= hostByte
	}
	return t
}()

func all(s string, class uint8) bool {
	for i := 0; i < len(s); i++ {
		if classes[s[i]]&class == 0 {
			return false
		}
	}
	return true
}

func isToken(s string) bool { return s != "" && all(s, tokenByte) }

// field takes a header line apart. The name comes back in canonical form, the value without surrounding blanks.
func field(line string) (name, value string, err error) {
	if line[0] == ' ' || line[0] == '\t' {
		return "", "", errFolded
	}
	name, value, found := strings.Cut(line, ":")
	if !found || !isToken(name) {
		return "", "", errHeaderName
	}
	value = trim(value)
	if !all(value, valueByte) {
		return "", "", errHeaderValue
	}
	return textproto.CanonicalMIMEHeaderKey(name), value, nil
}

// trim takes optional white space away, and nothing else: a CR is not white space, but an attack.
func trim(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// listed says whether a comma-separated list holds a token, whatever its case.
func listed(list, token string) bool {
	for element := range strings.SplitSeq(list, ",") {
		if strings.EqualFold(trim(element), token) {
			return true
		}
	}
	return false
}

func anyListed(lists []string, token string) bool {
	for _, list := range lists {
		if listed(list, token) {
			return true
		}
	}
	return false
}
