package proxy

import (
	"log/slog"
	"time"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// logAccess writes the line of a request: at the configured level, at warn when it failed through no fault of the client.
func (ex *exchange) logAccess(status int, errorType string, d time.Duration, received int64) {
	level := ex.snap.Config.Telemetry.AccessLogLevel.Level()
	failed := errorType != "" && errorType != telemetry.ErrorClientGone
	if failed {
		level = max(level, slog.LevelWarn)
	}
	if !ex.h.logger.Enabled(ex.ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", ex.in.Method), slog.String("path", ex.in.URL.Path), slog.Int("status", status),
		slog.Duration("duration", d), slog.String("client", ex.in.RemoteAddr), slog.String("protocol", ex.in.Proto),
		slog.Int64("received", received), slog.Int64("sent", ex.out.bytes.Load()),
	}
	if ex.route != nil {
		attrs = append(attrs, slog.String("route", ex.route.Name))
	}
	if ex.upstream != nil {
		attrs = append(attrs, slog.String("upstream", ex.upstream.Name), slog.Int("attempts", len(ex.tried)))
	}
	if n := len(ex.tried); n > 0 {
		attrs = append(attrs, slog.String("endpoint", ex.tried[n-1].URL.Host))
	}
	if ex.outcome.reject != "" {
		attrs = append(attrs, slog.String("reject_reason", ex.outcome.reject))
	}
	if errorType != "" {
		attrs = append(attrs, slog.String("error_type", errorType), slog.String("error", ex.outcome.text()))
	}
	ex.h.logger.LogAttrs(ex.ctx, level, "request", attrs...)
}
