package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
)

// correlated adds the ids of the current span to the text form; the OTLP form has them by itself.
type correlated struct{ slog.Handler }

func (h correlated) Handle(ctx context.Context, r slog.Record) error {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r = r.Clone()
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

func (h correlated) WithAttrs(attrs []slog.Attr) slog.Handler {
	return correlated{h.Handler.WithAttrs(attrs)}
}

func (h correlated) WithGroup(name string) slog.Handler { return correlated{h.Handler.WithGroup(name)} }

// atInfo keeps debug records out of OTLP: the bridge itself lets everything through.
type atInfo struct{ slog.Handler }

func (h atInfo) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo && h.Handler.Enabled(ctx, l)
}

func (h atInfo) WithAttrs(attrs []slog.Attr) slog.Handler { return atInfo{h.Handler.WithAttrs(attrs)} }

func (h atInfo) WithGroup(name string) slog.Handler { return atInfo{h.Handler.WithGroup(name)} }

// quiet is the pause between two reports of the SDK's troubles. A collector that is away fails each of fifteen
// exporters every second; one line in ten seconds says as much.
const quiet = 10 * time.Second

// complaints thins out the errors of the SDK.
type complaints struct {
	log *slog.Logger
	now func() time.Time

	mu      sync.Mutex // guards the fields below
	last    time.Time
	skipped int
}

// reportErrors makes the SDK's errors warnings of the log: a shop without a collector still works. They are counted,
// not sent over OTLP by the same failing exporter in a loop, because the next one is swallowed for ten seconds.
func reportErrors(log *slog.Logger) {
	c := &complaints{log: log, now: time.Now}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(c.handle))
}

func (c *complaints) handle(err error) {
	c.mu.Lock()
	now := c.now()
	if !c.last.IsZero() && now.Sub(c.last) < quiet {
		c.skipped++
		c.mu.Unlock()
		return
	}
	skipped := c.skipped
	c.last, c.skipped = now, 0
	c.mu.Unlock()
	c.log.Warn("telemetry could not be sent; is the collector running at OTEL_EXPORTER_OTLP_ENDPOINT?",
		"error", err.Error(), "similar_since_last", skipped)
}
