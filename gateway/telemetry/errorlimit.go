package telemetry

import (
	"log/slog"
	"sync"
	"time"
)

// errorInterval is the least time between two lines about failing exports. A collector that is down fails three exports
// every few seconds; one line in 30 s says so without drowning the rest.
const errorInterval = 30 * time.Second

// errorLimiter is the SDK's error handler.
type errorLimiter struct {
	logger *slog.Logger
	now    func() time.Time

	mu         sync.Mutex // guards the two below
	next       time.Time
	suppressed int
}

func newErrorLimiter(l *slog.Logger, now func() time.Time) *errorLimiter {
	return &errorLimiter{logger: l, now: now}
}

// Handle logs err, or counts it when another one was logged within errorInterval.
func (l *errorLimiter) Handle(err error) {
	suppressed, due := l.admit()
	if !due {
		return
	}
	l.logger.Warn("telemetry export failed; requests are served all the same", "error", err, "more_since_last_message", suppressed)
}

func (l *errorLimiter) admit() (suppressed int, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if now.Before(l.next) {
		l.suppressed++
		return 0, false
	}
	suppressed, l.suppressed, l.next = l.suppressed, 0, now.Add(errorInterval)
	return suppressed, true
}
