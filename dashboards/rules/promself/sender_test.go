package promself_test

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tailgate-otel/tailgate/dashboards/rules/promself"
	"github.com/tailgate-otel/tailgate/internal/remotewrite"
	"github.com/tailgate-otel/tailgate/telemetry"
)

// TestOurSenderKeepsTheNames holds that alerts about a stock Prometheus' remote write are alerts about ours too.
func TestOurSenderKeepsTheNames(t *testing.T) {
	r := &recorder{Registry: prometheus.NewRegistry()}
	sender, err := remotewrite.Open(remotewrite.Config{Name: "far", URL: "http://127.0.0.1:1/write", Client: &http.Client{}, Directory: t.TempDir()}, nil, r,
		slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := sender.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	have, compared := r.describe(t), 0
	for _, m := range promself.All() {
		if !strings.HasPrefix(m.Name, "prometheus_remote_storage_") {
			continue
		}
		compared++
		name := telemetry.DefaultNaming.Metric(m)
		desc, ok := have.descs[name]
		if !ok {
			t.Errorf("our sender has no %s", name)
		}
		for _, a := range m.Attributes {
			if !strings.Contains(desc, a.Key) {
				t.Errorf("%s of our sender has no label %s: %s", name, a.Key, desc)
			}
		}
	}
	if compared < 6 {
		t.Errorf("only %d metrics of remote write are listed", compared)
	}
}
