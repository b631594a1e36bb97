package fallback

import (
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// The headers that mark an answer which is not the upstream's own.
const (
	HeaderDowngraded = "X-Downgraded"
	HeaderReason     = "X-Downgraded-Reason"
)

// Response is an answer that is ready. It is shared: nobody changes it.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
	// Origin is the span of the request that the response was first given to, for a link in the trace. Invalid for fixed
	// responses.
	Origin trace.SpanContext

	static bool
	since  time.Time     // when it was captured
	age    time.Duration // what its age was then
}

// Age is how old the response is; 0 for a fixed one.
func (r *Response) Age(now time.Time) time.Duration {
	if r.static {
		return 0
	}
	return r.age + max(0, now.Sub(r.since))
}

// WriteTo sends the response, marked with the reason. For HEAD it has no body.
func (r *Response) WriteTo(w http.ResponseWriter, method string, reason Reason, now time.Time) error {
	h := w.Header()
	for name, values := range r.Header {
		h[name] = values[:len(values):len(values)] // who appends to the header gets a copy
	}
	if !r.static {
		h.Set("Age", strconv.FormatInt(int64(r.Age(now)/time.Second), 10))
	}
	if r.Status != http.StatusNoContent && r.Status != http.StatusNotModified {
		h.Set("Content-Length", strconv.Itoa(len(r.Body)))
	}
	Mark(h, reason)
	w.WriteHeader(r.Status)
	if method == http.MethodHead || len(r.Body) == 0 {
		return nil
	}
	_, err := w.Write(r.Body)
	return err
}

// Mark marks the header of an answer from another upstream.
func Mark(h http.Header, reason Reason) {
	h.Set(HeaderDowngraded, "true")
	h.Set(HeaderReason, string(reason))
}

// endToEnd copies h without what belongs to one connection (RFC 9110, section 7.6.1) or is written anew.
func endToEnd(h http.Header) http.Header {
	out := make(http.Header, len(h))
	for name, values := range h {
		switch name {
		case "Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
			"Content-Length", "Age":
			continue
		}
		out[name] = append([]string(nil), values...)
	}
	for _, v := range h["Connection"] {
		for name := range strings.SplitSeq(v, ",") {
			delete(out, textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name)))
		}
	}
	return out
}
