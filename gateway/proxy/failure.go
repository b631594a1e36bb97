package proxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"strconv"
	"strings"
	"syscall"

	"go.opentelemetry.io/otel/trace"

	"github.com/tailgate-otel/tailgate/gateway/upstream"
	"github.com/tailgate-otel/tailgate/telemetry"
)

var (
	errTimeout    = errors.New("the timeout of the route passed")
	errNoEndpoint = errors.New("no endpoint of the upstream accepts connections")
)

// answer is what the gateway says itself: a status with application/problem+json (RFC 9457). It names neither
// addresses nor errors of the inside; those are on the span and in the log, and trace_id leads there.
type answer struct {
	status     int
	errorType  string
	reject     string
	detail     string
	allow      string
	retryAfter bool
	err        error
	abort      bool // the client is gone: nobody to answer
}

// explain turns an error of an exchange into the answer to its client. The cause of ctx comes first: whoever ended the
// exchange is why its connections broke.
func explain(ctx context.Context, body *requestBody, err error) answer {
	var connect *upstream.ConnectError
	switch cause := context.Cause(ctx); {
	case body.tooLarge():
		a := tooLarge()
		a.err = err
		return *a
	case errors.Is(cause, ErrDraining):
		return answer{status: http.StatusServiceUnavailable, reject: telemetry.RejectDraining, retryAfter: true, err: cause, detail: "The gateway is shutting down."}
	case errors.Is(cause, errTimeout):
		return answer{status: http.StatusGatewayTimeout, errorType: telemetry.ErrorTimeout, err: cause, detail: "The upstream did not answer in time."}
	case body.timedOut():
		return answer{status: http.StatusRequestTimeout, err: err, detail: "The rest of the request body did not come in time."}
	case body.malformed():
		return answer{status: http.StatusBadRequest, reject: telemetry.RejectBadRequest, err: err, detail: "The request body is not encoded as its header says."}
	case cause != nil || body.broke():
		return answer{errorType: telemetry.ErrorClientGone, err: err, abort: true}
	case errors.Is(err, errNoEndpoint):
		return answer{status: http.StatusServiceUnavailable, reject: telemetry.RejectNoEndpoint, retryAfter: true, err: err, detail: "No endpoint of the upstream accepts connections at the moment."}
	case errors.As(err, &connect):
		return answer{status: connectStatus(err), errorType: telemetry.ErrorConnect, err: err, detail: "The upstream accepted no connection."}
	}
	switch kind := errorTypeOf(err); kind {
	case telemetry.ErrorTimeout:
		return answer{status: http.StatusGatewayTimeout, errorType: kind, err: err, detail: "The upstream did not answer in time."}
	case telemetry.ErrorProtocol:
		return answer{status: http.StatusBadGateway, errorType: kind, err: err, detail: "The upstream's answer was not HTTP."}
	case telemetry.ErrorReset:
		return answer{status: http.StatusBadGateway, errorType: kind, err: err, detail: "The connection to the upstream broke before it answered."}
	default:
		return answer{status: http.StatusBadGateway, errorType: kind, err: err, detail: "The upstream could not be asked."}
	}
}

func connectStatus(err error) int {
	if isTimeout(err) {
		return http.StatusGatewayTimeout
	}
	return http.StatusBadGateway
}

// errorTypeOf names an error between gateway and upstream in the words of the contract.
func errorTypeOf(err error) string {
	var connect *upstream.ConnectError
	var protocol textproto.ProtocolError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &connect):
		return telemetry.ErrorConnect
	case isTimeout(err), errors.Is(err, errTimeout):
		return telemetry.ErrorTimeout
	case errors.As(err, &protocol), strings.Contains(err.Error(), "malformed"), strings.Contains(err.Error(), "headers exceeded"),
		strings.Contains(err.Error(), "PROTOCOL_ERROR"), strings.Contains(err.Error(), "frame"):
		return telemetry.ErrorProtocol // net/http has no type for these
	case errors.Is(err, context.Canceled):
		return telemetry.ErrorClientGone
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, net.ErrClosed), strings.Contains(err.Error(), "server closed"), strings.Contains(err.Error(), "connection lost"),
		strings.Contains(err.Error(), "stream error"), strings.Contains(err.Error(), "GOAWAY"):
		return telemetry.ErrorReset
	}
	return telemetry.ErrorOther
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout() || errors.Is(err, os.ErrDeadlineExceeded)
}

// fail is called when no response came, or none that can be passed on.
func (ex *exchange) fail(err error) { ex.answer(explain(ex.ctx, ex.body, err)) }

// brokeOff finds out why a response ended in the middle: the upstream, the client, a timeout, or an error of ours.
func (ex *exchange) brokeOff(panicked any) {
	if err, ok := panicked.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
		ex.outcome = outcome{errorType: telemetry.ErrorOther, err: fmt.Errorf("panic: %v", panicked), abort: true}
		ex.h.logger.ErrorContext(ex.ctx, "the gateway failed at a request; please report this", "panic", panicked)
		return
	}
	broken := ex.last.broken()
	_ = ex.out.FlushError() // what did come is the client's, whoever broke off
	switch cause := context.Cause(ex.ctx); {
	case isTimeout(ex.out.failure()), errors.Is(cause, errTimeout):
		ex.outcome = outcome{errorType: telemetry.ErrorTimeout, err: errors.Join(cause, ex.out.failure())}
	case errors.Is(cause, ErrDraining):
		ex.outcome = outcome{errorType: telemetry.ErrorOther, err: cause, reject: telemetry.RejectDraining}
	case ex.body.tooLarge():
		ex.outcome = outcome{errorType: telemetry.ErrorOther, err: broken, reject: telemetry.RejectBodyLimit}
	case cause == nil && broken != nil:
		ex.outcome = outcome{errorType: errorTypeOf(broken), err: broken}
	default:
		ex.outcome = outcome{errorType: telemetry.ErrorClientGone, err: errors.Join(cause, ex.out.failure())}
	}
}

// isClientReset says whether reading from the client failed because its connection or stream is gone.
func isClientReset(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "client disconnected") || strings.Contains(err.Error(), "stream error"))
}

type problem struct {
	Type    string `json:"type"`
	Title   string `json:"title"`
	Status  int    `json:"status"`
	Detail  string `json:"detail"`
	TraceID string `json:"trace_id,omitempty"`
}

// answer sends a and remembers why.
func (ex *exchange) answer(a answer) {
	ex.outcome = outcome{errorType: a.errorType, reject: a.reject, err: a.err, abort: a.abort}
	if a.err == nil && a.reject != "" {
		ex.outcome.err = errors.New(a.reject)
	}
	if a.abort || ex.out.started() {
		ex.outcome.abort = true
		return
	}
	p := problem{Type: "about:blank", Title: http.StatusText(a.status), Status: a.status, Detail: a.detail}
	if sc := trace.SpanContextFromContext(ex.ctx); sc.IsValid() {
		p.TraceID = sc.TraceID().String()
	}
	body, err := json.Marshal(p)
	if err != nil { // strings and a number always marshal
		panic(err)
	}
	h := ex.out.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	if a.allow != "" {
		h.Set("Allow", a.allow)
	}
	if a.retryAfter {
		h.Set("Retry-After", "1")
	}
	ex.out.WriteHeader(a.status)
	if ex.in.Method != http.MethodHead {
		_, _ = ex.out.Write(body) // a client that is gone shows in the writer's own count
	}
}
