package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/internal/supervise"
)

// TestAlertsBecomeLogRecordsAndWebhooks fires an alert on what the collector itself stores, and finds it in the log file of
// the quickstart, at a webhook, and in the API. The generated rules beside it are healthy and silent.
func TestAlertsBecomeLogRecordsAndWebhooks(t *testing.T) {
	hook := make(chan string, 16)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err == nil {
			hook <- string(body)
		}
	}))
	defer receiver.Close()

	s := &stack{dir: t.TempDir()}
	s.data = filepath.Join(s.dir, "data")
	ports := freePorts(t, 6)
	addr := func(i int) string { return fmt.Sprintf("127.0.0.1:%d", ports[i]) }
	s.store, s.grpc, s.otlp = "http://"+addr(0), addr(1), "http://"+addr(2)
	rules := filepath.Join(s.dir, "rules.yml")
	overlay := filepath.Join(s.dir, "rules.yaml")
	for path, text := range map[string]string{rules: firingRule, overlay: fmt.Sprintf(withRule, rules, receiver.URL)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	group := supervise.New(supervise.Settings{Output: testWriter(t)})
	if err := group.Start(t.Context(), s.collector(addr(3), ports[4], ports[5], overlay)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
		defer cancel()
		if err := group.Stop(ctx); err != nil {
			t.Errorf("stop the collector: %v", err)
		}
	})

	select {
	case body := <-hook:
		if !strings.Contains(body, `"alertname":"StoreIsUp"`) || !strings.Contains(body, `"status":"firing"`) {
			t.Errorf("the webhook got %s", body)
		}
	case <-time.After(time.Minute):
		t.Fatal("the webhook was not called within a minute")
	}
	eventually(t, exported, func() error {
		log, err := os.ReadFile(filepath.Join(s.data, "logs.jsonl"))
		if err != nil {
			return err
		}
		for _, want := range []string{`"stringValue":"StoreIsUp"`, `"stringValue":"The store is up"`, `"eventName":"alert.state_change"`} {
			if !strings.Contains(string(log), want) {
				return fmt.Errorf("%s is not in logs.jsonl: %s", want, log)
			}
		}
		return nil
	})
	s.rulesAreHealthy(t)
}

// rulesAreHealthy demands that no rule has failed, that many were evaluated (some take their time between evaluations), and
// that none of the generated alerts is active.
func (s *stack) rulesAreHealthy(t *testing.T) {
	t.Helper()
	eventually(t, time.Minute, func() error {
		var answer struct {
			Data struct {
				Groups []struct {
					File, Name string
					Rules      []struct{ Name, Type, State, Health, LastError string }
				}
			}
		}
		evaluated := 0
		if err := getJSON(t.Context(), s.store+"/api/v1/rules", &answer); err != nil {
			return err
		}
		for _, g := range answer.Data.Groups {
			for _, r := range g.Rules {
				if r.Health == "ok" {
					evaluated++
				}
				if r.Health == "err" {
					return fmt.Errorf("%s: %s is %s: %s", g.File, r.Name, r.Health, r.LastError)
				}
				if r.Type == "alerting" && strings.HasPrefix(g.File, "builtin:") && (r.State == "pending" || r.State == "firing") {
					return fmt.Errorf("%s: %s is %s", g.File, r.Name, r.State)
				}
			}
		}
		if evaluated < 20 {
			return fmt.Errorf("only %d rules were evaluated", evaluated)
		}
		return nil
	})
}

func getJSON(ctx context.Context, url string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(into)
}

const firingRule = `
groups:
  - name: test
    interval: 1s
    rules:
      - alert: StoreIsUp
        expr: up{job="store"} == 1
        labels: {severity: info}
        annotations: {summary: The store is up}
`

const withRule = `
extensions:
  prometheusstore:
    global: {evaluation_interval: 2s}
    rule_files: [%q]
    rules:
      webhooks:
        - {name: test, http: {endpoint: %q}}
`
