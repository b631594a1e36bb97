package telemetry

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestErrorsOfTheSDKAreThinnedOut(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1000, 0)
	c := &complaints{log: slog.New(slog.NewTextHandler(&out, nil)), now: func() time.Time { return now }}
	for range 5 {
		c.handle(errors.New("connection refused"))
	}
	now = now.Add(quiet)
	c.handle(errors.New("connection refused"))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.Contains(lines[0], "similar_since_last=0") || !strings.Contains(lines[1], "similar_since_last=4") {
		t.Errorf("log is\n%s", out.String())
	}
}
