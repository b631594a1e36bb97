package otlpclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/tailgate-otel/tailgate/gateway/telemetry/span"
)

const (
	userAgent   = "tailgate-gateway"
	contentType = "application/x-protobuf"
	// maxAnswer bounds what is read of an answer: messages are short, and longer ones are not worth a line in a log.
	maxAnswer = 4 << 10
	// maxDrain bounds what is read to use a connection again; above it a new connection is cheaper.
	maxDrain = 64 << 10

	// A local collector answers in milliseconds; two connections are as many as the exporter has senders.
	maxIdleConns = 2
	dialTimeout  = 5 * time.Second
	idleTimeout  = 90 * time.Second
)

type httpClient struct {
	client  *http.Client
	url     string
	headers map[string]string
	zip     *zipper // nil: no compression
}

func newHTTP(s Settings, u *url.URL) *httpClient {
	dial := s.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: dialTimeout}).DialContext
	}
	c := &httpClient{url: u.String(), headers: s.Headers, client: &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, DialContext: dial, TLSClientConfig: s.TLS, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: maxIdleConns, IdleConnTimeout: idleTimeout, TLSHandshakeTimeout: dialTimeout,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if s.Gzip {
		c.zip = &zipper{}
	}
	return c
}

func (c *httpClient) Close() error {
	c.client.CloseIdleConnections()
	return nil
}

func (c *httpClient) Send(ctx context.Context, request []byte) (rejected int64, err error) {
	var encoding string
	if c.zip != nil {
		zipped, err := c.zip.zip(request)
		if err != nil {
			return 0, fmt.Errorf("compress: %w", err)
		}
		defer c.zip.done(zipped)
		request, encoding = zipped.Bytes(), "gzip"
	}
	loan := &loan{data: request}
	defer loan.end()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, loan.reader())
	if err != nil {
		return 0, fmt.Errorf("endpoint: %w", err)
	}
	r.ContentLength = int64(len(request))
	r.GetBody = func() (io.ReadCloser, error) { return loan.reader(), nil }
	for name, value := range c.headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("User-Agent", userAgent)
	if encoding != "" {
		r.Header.Set("Content-Encoding", encoding)
	}
	res, err := c.client.Do(r)
	if err != nil {
		return 0, &span.RetryableError{Err: err}
	}
	defer res.Body.Close() //nolint:errcheck // it was only read
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil && res.StatusCode/100 != 2 {
		answer = nil // the status says enough
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxDrain)) // only for the connection's sake
	return outcome(res, answer)
}

// outcome reads an answer by the specification's section "OTLP/HTTP Response".
func outcome(res *http.Response, answer []byte) (rejected int64, err error) {
	if res.StatusCode/100 == 2 {
		if res.Header.Get("Content-Type") != contentType {
			return 0, nil
		}
		return rejectedSpans(answer), nil
	}
	err = fmt.Errorf("the collector answered %s%s", res.Status, message(res, answer))
	switch res.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return 0, &span.RetryableError{Err: err, After: retryAfter(res.Header.Get("Retry-After"), time.Now())}
	}
	return 0, err
}

// message is what the body says, a google.rpc.Status or text.
func message(res *http.Response, answer []byte) string {
	text := answer
	if res.Header.Get("Content-Type") == contentType {
		text = bytesField(answer, 2) // google.rpc.Status.message
	}
	if s := strings.TrimSpace(strings.ToValidUTF8(string(text), "?")); s != "" {
		return ": " + s
	}
	return ""
}

// retryAfter reads a delay in seconds or a date (RFC 9110 section 10.2.3); 0 if it says neither.
func retryAfter(value string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}

// rejectedSpans reads ExportTraceServiceResponse.partial_success.rejected_spans.
func rejectedSpans(response []byte) int64 {
	partial := bytesField(response, 1)
	for len(partial) > 0 {
		num, typ, n := protowire.ConsumeTag(partial)
		if n < 0 {
			return 0
		}
		partial = partial[n:]
		if num == 1 && typ == protowire.VarintType {
			if v, n := protowire.ConsumeVarint(partial); n > 0 {
				return int64(v)
			}
			return 0
		}
		if n = protowire.ConsumeFieldValue(num, typ, partial); n < 0 {
			return 0
		}
		partial = partial[n:]
	}
	return 0
}

// bytesField returns the content of a length-delimited field of a message, nil if it is not there.
func bytesField(message []byte, want protowire.Number) []byte {
	for len(message) > 0 {
		num, typ, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil
		}
		message = message[n:]
		if num == want && typ == protowire.BytesType {
			content, _ := protowire.ConsumeBytes(message)
			return content
		}
		if n = protowire.ConsumeFieldValue(num, typ, message); n < 0 {
			return nil
		}
		message = message[n:]
	}
	return nil
}

// loan lends memory to readers until end. net/http's transport may go on reading a body after it answered.
type loan struct {
	mu   sync.Mutex // guards data
	data []byte
}

var errLoanEnded = errors.New("the request is over")

func (l *loan) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.data = nil
}

func (l *loan) reader() io.ReadCloser { return &loanReader{loan: l} }

type loanReader struct {
	loan *loan
	off  int
}

func (r *loanReader) Read(p []byte) (int, error) {
	r.loan.mu.Lock()
	defer r.loan.mu.Unlock()
	switch data := r.loan.data; {
	case data == nil:
		return 0, errLoanEnded
	case r.off == len(data):
		return 0, io.EOF
	default:
		n := copy(p, data[r.off:])
		r.off += n
		return n, nil
	}
}

func (r *loanReader) Close() error { return nil }

// zipper reuses compressors and their output.
type zipper struct{ writers, buffers sync.Pool }

func (z *zipper) zip(data []byte) (*bytes.Buffer, error) {
	out, ok := z.buffers.Get().(*bytes.Buffer)
	if !ok {
		out = &bytes.Buffer{}
	}
	out.Reset()
	w, ok := z.writers.Get().(*gzip.Writer)
	if !ok {
		var err error
		if w, err = gzip.NewWriterLevel(out, gzip.BestSpeed); err != nil {
			return nil, err
		}
	}
	w.Reset(out)
	_, err := w.Write(data)
	err = errors.Join(err, w.Close())
	z.writers.Put(w)
	return out, err
}

func (z *zipper) done(b *bytes.Buffer) { z.buffers.Put(b) }
