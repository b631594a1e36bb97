package ruling_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	_ "github.com/prometheus/prometheus/discovery/file" // linked into the collector too, by its prometheus receiver
	"github.com/prometheus/prometheus/model/labels"
	v1 "github.com/prometheus/prometheus/web/api/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/ruling"
	"github.com/tailgate-otel/tailgate/internal/supervise"
	"github.com/tailgate-otel/tailgate/internal/testkit/promserver"
)

var (
	_ v1.RulesRetriever        = (*ruling.Manager)(nil)
	_ v1.AlertmanagerRetriever = (*ruling.Manager)(nil)
)

const quickRules = `
groups:
  - name: shop
    interval: 500ms
    rules:
      - alert: HighErrors
        expr: errors > 10
        labels: {severity: critical}
        annotations: {summary: 'errors at {{ $value }}'}
      - alert: Unwanted
        expr: errors > 10
`

// An alert fires and ends. A real Alertmanager knows it from its first second to its last, and what it posts to a webhook
// of its own is what ours posts to a webhook without an Alertmanager.
func TestAlertmanager(t *testing.T) {
	theirs, ours := newInbox(t), newInbox(t)
	addr := startAlertmanager(t, theirs.URL)

	w := newWorld(t)
	w.settings.ResendDelay = time.Second
	w.settings.ExternalLabels = labels.FromStrings("cluster", "north")
	var err error
	w.settings.Alerting, err = ruling.LoadAlerting(map[string]any{
		"alertmanagers": []any{map[string]any{
			"static_configs": []any{map[string]any{"targets": []any{addr}}},
			"path_prefix":    "/am",
		}},
		"alert_relabel_configs": []any{map[string]any{"source_labels": []any{"alertname"}, "regex": "Unwanted", "action": "drop"}},
	}, quiet)
	require.NoError(t, err)
	w.settings.Webhooks = []ruling.Webhook{{Name: "pager", URL: ours.URL, Client: ours.Client()}}
	w.start(quickRules)
	defer w.stop()
	w.write(20, "__name__", "errors", "service", "shop")

	var alert amAlert
	promserver.Eventually(t, 20*time.Second, func() error {
		alerts := activeAlerts(t, addr)
		if len(alerts) != 1 {
			return fmt.Errorf("%d alerts", len(alerts))
		}
		alert = alerts[0]
		return nil
	})
	assert.Equal(t, map[string]string{"alertname": "HighErrors", "cluster": "north", "service": "shop", "severity": "critical"}, alert.Labels)
	assert.Equal(t, map[string]string{"summary": "errors at 20"}, alert.Annotations)
	require.Len(t, w.manager.Alertmanagers(), 1)
	assert.Equal(t, "http://"+addr+"/am/api/v2/alerts", w.manager.Alertmanagers()[0].String())
	fired := w.announced()
	require.Len(t, fired, 1)
	assert.Equal(t, alert.Fingerprint, fired[0].Fingerprint())

	w.write(1, "__name__", "errors", "service", "shop")
	promserver.Eventually(t, 20*time.Second, func() error {
		if n := len(activeAlerts(t, addr)); n != 0 {
			return fmt.Errorf("%d alerts still fire", n)
		}
		return nil
	})
	for _, status := range []string{"firing", "resolved"} {
		assert.Equal(t, theirs.wait(t, status), ours.wait(t, status), status)
	}
	promserver.Eventually(t, 10*time.Second, func() error {
		if sent := w.metric("prometheus_notifications_sent_total", ""); sent < 2 {
			return fmt.Errorf("%g sent", sent)
		}
		return nil
	})
	assert.InDelta(t, 0, w.metric("prometheus_notifications_dropped_total", ""), 0)
	assert.InDelta(t, 0, w.metric("prometheus_notifications_errors_total", ""), 0)
	assert.Positive(t, w.metric("prometheus_rule_evaluations_total", ""))
}

// startAlertmanager runs Debian's Alertmanager, with one webhook, and returns its address.
func startAlertmanager(t *testing.T, webhook string) string {
	t.Helper()
	binary, err := exec.LookPath("prometheus-alertmanager")
	if err != nil {
		t.Fatalf("%v: run `make need-alertmanager`, which installs the Debian package prometheus-alertmanager", err)
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "alertmanager.yml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
route: {receiver: pager, group_by: [alertname], group_wait: 0s, group_interval: 1s}
receivers: [{name: pager, webhook_configs: [{url: %q}]}]
`, webhook), 0o600))
	addr := fmt.Sprintf("127.0.0.1:%d", promserver.FreePort(t))
	promserver.Run(t, supervise.Child{
		Name: "alertmanager", Path: binary,
		Args: []string{
			"--config.file=" + config, "--storage.path=" + dir, "--web.listen-address=" + addr,
			"--cluster.listen-address=", "--web.external-url=http://" + addr + "/am", "--log.level=warn",
		},
		ReadyURL: "http://" + addr + "/am/-/ready",
	})
	return addr
}

type amAlert struct {
	Labels, Annotations map[string]string
	Fingerprint         string
}

func activeAlerts(t *testing.T, addr string) (alerts []amAlert) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/am/api/v2/alerts", nil)
	require.NoError(t, err)
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&alerts))
	return alerts
}

// inbox is a webhook's receiver that keeps what it gets.
type inbox struct {
	*httptest.Server
	mu       sync.Mutex // guards messages
	messages []map[string]any
}

func newInbox(t *testing.T) *inbox {
	in := &inbox{}
	in.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var m map[string]any
		if err := errors.Join(err, json.Unmarshal(body, &m)); err != nil {
			m = map[string]any{"error": err.Error()}
		}
		in.mu.Lock()
		defer in.mu.Unlock()
		in.messages = append(in.messages, m)
	}))
	t.Cleanup(in.Close)
	return in
}

// wait returns the first message of the status, without what two sources may differ in: the address of the source, and
// times beyond the millisecond, which Alertmanager does not take in.
func (in *inbox) wait(t *testing.T, status string) (found map[string]any) {
	t.Helper()
	promserver.Eventually(t, 20*time.Second, func() error {
		in.mu.Lock()
		defer in.mu.Unlock()
		for _, m := range in.messages {
			if m["status"] == status {
				found = m
				return nil
			}
		}
		return fmt.Errorf("%v has no message that says %s", in.messages, status)
	})
	delete(found, "externalURL")
	for _, a := range found["alerts"].([]any) {
		alert := a.(map[string]any)
		for _, key := range []string{"startsAt", "endsAt"} {
			at, err := time.Parse(time.RFC3339Nano, alert[key].(string))
			require.NoError(t, err, key)
			alert[key] = at.UTC().Truncate(time.Millisecond)
		}
	}
	return found
}

// An Alertmanager that does not answer holds nothing up: rules go on, and the shutdown ends with its context.
func TestAlertmanagerThatHangs(t *testing.T) {
	reached := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		reached <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	w := newWorld(t)
	w.settings.ResendDelay = time.Second
	var err error
	w.settings.Alerting, err = ruling.LoadAlerting(map[string]any{"alertmanagers": []any{map[string]any{
		"static_configs": []any{map[string]any{"targets": []any{server.Listener.Addr().String()}}},
		"timeout":        "1h",
	}}}, quiet)
	require.NoError(t, err)
	w.start(quickRules)
	w.write(20, "__name__", "errors")
	<-reached
	before := w.metric("prometheus_rule_evaluations_total", "")
	promserver.Eventually(t, 20*time.Second, func() error {
		if n := w.metric("prometheus_rule_evaluations_total", "") - before; n < 4 {
			return fmt.Errorf("%g evaluations since the Alertmanager hangs", n)
		}
		return nil
	})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	require.NoError(t, w.manager.Shutdown(ctx))
	assert.Less(t, time.Since(began), 10*time.Second)
	w.stop()
}

func TestBadAlerting(t *testing.T) {
	for want, section := range map[string]map[string]any{
		"alerting: the section is Prometheus' own": {"alertmanager": []any{}},
		"alerting::alertmanagers[1]: file service discovery is not available here: list the addresses under static_configs": {
			"alertmanagers": []any{
				map[string]any{"static_configs": []any{}},
				map[string]any{"file_sd_configs": []any{map[string]any{"files": []any{"am.yaml"}}}},
			},
		},
		"is not a valid hostname": {"alertmanagers": []any{map[string]any{
			"static_configs": []any{map[string]any{"targets": []any{"http://localhost:9093"}}},
		}}},
	} {
		_, err := ruling.LoadAlerting(section, quiet)
		assert.ErrorContains(t, err, want)
	}
}
