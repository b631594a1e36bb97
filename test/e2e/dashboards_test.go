package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/tailgate-otel/tailgate/internal/supervise"
	"github.com/tailgate-otel/tailgate/internal/testkit/chrome"
)

// panels runs the demo's customers, with the shipped faults, and demands data on every panel of every dashboard.
func panels(t *testing.T, s *stack, _ *traffic) {
	s.putFaults(t)
	load := supervise.Child{
		Name: "load", Path: binary("demo"), MayExit: true,
		Args: []string{"load", "--gateway", s.gateway, "--rate", "40", "--duration", "5m", "--seed", "7"}, OnLine: s.watch("load"),
	}
	if err := s.group.Start(t.Context(), load); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary("dashctl"), "check", "--dir", filepath.Join(repo, "dashboards", "dist"),
		"--prometheus", s.store, "--wait", "120s", "--json")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var report struct {
		Panels         int
		PanelsWithData int
		Empty          []struct{ Dashboard, Panel, Reason string }
		Findings       []json.RawMessage
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("dashctl check: %v\n%s%s", err, out, stderr.Bytes())
	}
	for _, e := range report.Empty {
		t.Errorf("%s: %q has no data: %s", e.Dashboard, e.Panel, e.Reason)
	}
	for _, f := range report.Findings {
		t.Errorf("finding: %s", f)
	}
	if report.Panels < 30 || report.Panels != report.PanelsWithData {
		t.Errorf("%d of %d panels have data", report.PanelsWithData, report.Panels)
	}
}

func (s *stack) putFaults(t *testing.T) {
	t.Helper()
	faults, err := os.ReadFile(filepath.Join(repo, "demo", "faults.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.shopAdmin+"/faults", bytes.NewReader(faults))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		t.Fatalf("PUT /faults: %s", resp.Status)
	}
}

// viewerDraws opens every dashboard in headless Chromium, as a person would.
func viewerDraws(t *testing.T, s *stack, _ *traffic) {
	tab := chrome.OpenTab(t, chrome.Start(t))
	for _, uid := range s.dashboards(t) {
		tab.Run(t, chromedp.EmulateViewport(1500, 2400),
			chromedp.Navigate(s.store+"/ui/?d="+uid+"&from=now-5m&to=now&refresh="), chromedp.WaitReady(`body[data-ready="true"]`))
		states := tab.States()
		if len(states) < 5 {
			t.Errorf("%s: only %d panels drawn", uid, len(states))
		}
		for title, state := range states {
			if state != "ok" {
				t.Errorf("%s: panel %q is %s", uid, title, state)
			}
		}
		tab.Screenshot(t, uid)
	}
	for _, complaint := range tab.Complaints() {
		t.Errorf("the page reported: %s", complaint)
	}
}

func (s *stack) dashboards(t *testing.T) []string {
	t.Helper()
	resp, err := http.Get(s.store + "/ui/api/dashboards")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list []struct{ UID string }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	var uids []string
	for _, d := range list {
		uids = append(uids, d.UID)
	}
	if len(uids) < 3 {
		t.Fatalf("the store lists %v, want three dashboards at least", uids)
	}
	return uids
}
