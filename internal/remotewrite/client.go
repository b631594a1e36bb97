package remotewrite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/journal"
)

const (
	userAgent         = "tailgate-remote-write"
	contentTypeV1     = "application/x-protobuf"
	contentTypeV2     = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
	writtenSamples    = "X-Prometheus-Remote-Write-Samples-Written"
	writtenHistograms = "X-Prometheus-Remote-Write-Histograms-Written"
	writtenExemplars  = "X-Prometheus-Remote-Write-Exemplars-Written"

	// maxMessage is how much of a server's explanation is read. Prometheus joins the errors of all samples in it.
	maxMessage = 2 << 10
	// maxRetryAfter bounds a wait that a server asks for: beyond it is rather a mistake.
	maxRetryAfter = time.Hour
)

// verdict is what an answer means for the request.
type verdict int

const (
	// stored: the server took the request, except for what answer.written says it did not.
	stored verdict = iota
	// again: later the server may take the same request.
	again
	// hold: the same, but somebody has to repair something first.
	hold
	// refused: the server took nothing and would not take it later.
	refused
	// unsupported: the server does not know this version of the protocol.
	unsupported
)

type answer struct {
	verdict verdict
	v2      bool   // the request was of version 2
	status  int    // 0: there was none
	message string // of the server, or of the error
	after   time.Duration
	// written is what was stored if confirmed.
	written   journal.Counts
	confirmed bool
}

// client posts requests to one server.
type client struct {
	http    *http.Client
	url     string
	timeout time.Duration
}

// post sends an uncompressed request of a version. compressed is reused memory; it is returned.
func (c *client) post(ctx context.Context, request, compressed []byte, v2 bool, attempt int) (answer, []byte) {
	if most := s2.MaxEncodedLen(len(request)); cap(compressed) < most {
		compressed = make([]byte, most)
	}
	body := s2.EncodeSnappy(compressed[:cap(compressed)], request)
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return answer{verdict: hold, message: err.Error()}, body
	}
	h := req.Header
	h.Set("Content-Encoding", "snappy")
	h.Set("User-Agent", userAgent)
	h.Set("Content-Type", contentTypeV1)
	h.Set("X-Prometheus-Remote-Write-Version", "0.1.0")
	if v2 {
		h.Set("Content-Type", contentTypeV2)
		h.Set("X-Prometheus-Remote-Write-Version", "2.0.0")
	}
	if attempt > 0 {
		h.Set("Retry-Attempt", strconv.Itoa(attempt))
	}
	resp, err := c.http.Do(req)
	if err != nil {
		// The transport may still be reading the body, so it is not used again.
		return answer{verdict: again, message: explain(err, c.timeout)}, nil
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxMessage))
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // read to its end, the connection can be used again
	return classify(resp, strings.TrimSpace(string(text)), v2), body
}

func explain(err error, timeout time.Duration) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("no answer within %s", timeout)
	}
	return err.Error()
}

func classify(resp *http.Response, message string, v2 bool) answer {
	a := answer{status: resp.StatusCode, message: message, after: retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	a.written, a.confirmed = written(resp.Header)
	switch code := resp.StatusCode; {
	case code/100 == 2:
		a.verdict = stored
		if v2 && !a.confirmed {
			// It ignored the content type and found nothing that it knows in the request.
			a.verdict = unsupported
		}
	case code/100 == 5, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code == http.StatusTooEarly:
		a.verdict = again
	case v2 && (code == http.StatusUnsupportedMediaType || code == http.StatusNotAcceptable):
		a.verdict = unsupported
	case code == http.StatusBadRequest, code == http.StatusUnprocessableEntity, code == http.StatusRequestEntityTooLarge:
		a.verdict = refused
		if v2 && a.confirmed && code != http.StatusRequestEntityTooLarge {
			a.verdict = stored // in part
		}
	case code == http.StatusConflict, code == http.StatusGone, code > http.StatusTooManyRequests && code/100 == 4:
		a.verdict = refused
	default:
		// 401, 403, 404, 405, 407, 415 of version 1, redirects that the client does not follow: the address or the
		// credentials are wrong, not the data.
		a.verdict = hold
	}
	return a
}

// written reads the headers by which a server of version 2 says what it stored. A missing one means 0, but not if all are.
func written(h http.Header) (c journal.Counts, confirmed bool) {
	for name, n := range map[string]*int{
		writtenSamples: &c.Samples, writtenHistograms: &c.Histograms, writtenExemplars: &c.Exemplars,
	} {
		text := h.Get(name)
		if text == "" {
			continue
		}
		v, err := strconv.Atoi(text)
		if err != nil || v < 0 {
			continue
		}
		*n, confirmed = v, true
	}
	return c, confirmed
}

// retryAfter reads seconds or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if text == "" {
		return 0
	}
	if seconds, err := strconv.Atoi(text); err == nil {
		return clampWait(time.Duration(seconds) * time.Second)
	}
	if at, err := http.ParseTime(text); err == nil {
		return clampWait(at.Sub(now))
	}
	return 0
}

func clampWait(d time.Duration) time.Duration { return min(max(d, 0), maxRetryAfter) }
