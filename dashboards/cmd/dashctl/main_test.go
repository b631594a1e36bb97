package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// committed is dashboards/dist as it stands in the repository.
const committed = "../../dist"

func dashctl(args ...string) (status int, out, errOut string) {
	var o, e bytes.Buffer
	status = run(context.Background(), args, &o, &e)
	return status, o.String(), e.String()
}

// TestCommittedFilesAreUpToDate is what fails when a dashboard or the contract changed and nobody ran dashctl gen.
func TestCommittedFilesAreUpToDate(t *testing.T) {
	if status, out, errOut := dashctl("gen", "--check", "--out", committed); status != exitOK {
		t.Errorf("status %d\n%s%s", status, out, errOut)
	}
}

func TestCommittedFilesHaveNoFindings(t *testing.T) {
	status, out, errOut := dashctl("check", "--dir", committed)
	if status != exitOK || !strings.Contains(out, "16 files checked, 0 findings") {
		t.Errorf("status %d\n%s%s", status, out, errOut)
	}
}

func TestGenAndStaleness(t *testing.T) {
	dir := t.TempDir()
	check := func() (int, string) {
		status, out, _ := dashctl("gen", "--check", "--out", dir)
		return status, out
	}
	if status, out := check(); status != exitFindings || !strings.Contains(out, "classic/tailgate-gateway.json: missing") {
		t.Errorf("nothing generated: %d %s", status, out)
	}
	if status, _, errOut := dashctl("gen", "--out", dir); status != exitOK {
		t.Fatal(errOut)
	}
	if status, out := check(); status != exitOK || !strings.Contains(out, "16 files up to date") {
		t.Errorf("just generated: %d %s", status, out)
	}
	file := filepath.Join(dir, "v2", "tailgate-sampling.json")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	edited := bytes.Replace(data, []byte("Tail sampling"), []byte("Tail sampler"), 1)
	if err := os.WriteFile(file, edited, 0o600); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, "classic", "gone.json")
	if err := os.WriteFile(left, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out := check()
	for _, want := range []string{"v2/tailgate-sampling.json: line ", "Tail sampler", "classic/gone.json: nothing of that name", "dashctl gen"} {
		if status != exitFindings || !strings.Contains(out, want) {
			t.Errorf("edited: status %d, no word about %q in\n%s", status, want, out)
		}
	}
	if status, _, errOut := dashctl("gen", "--out", dir); status != exitOK {
		t.Fatal(errOut)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("gen left %s: %v", left, err)
	}
}

// api answers like a Prometheus that has one sample for every query but those that contain hole.
func api(t *testing.T, hole string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data := `["x"]`
		switch {
		case strings.HasSuffix(r.URL.Path, "/query_range"):
			data = `{"resultType":"matrix","result":[{"metric":{},"values":[[1,"2"]]}]}`
		case strings.HasSuffix(r.URL.Path, "/query"):
			data = `{"resultType":"vector","result":[{"metric":{},"value":[1,"2"]}]}`
		}
		if hole != "" && strings.Contains(r.FormValue("query"), hole) {
			data = `{"resultType":"matrix","result":[]}`
		}
		_, _ = w.Write([]byte(`{"status":"success","data":` + data + `}`))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestCheckAgainstPrometheusAsJSON(t *testing.T) {
	for name, c := range map[string]struct {
		hole   string
		status int
		empty  int
	}{
		"all have data": {"", exitOK, 0},
		"one has none":  {"go_goroutine_count", exitFindings, 1},
	} {
		status, out, errOut := dashctl("check", "--dir", committed, "--json", "--prometheus", api(t, c.hole))
		var got struct {
			Panels         int
			PanelsWithData int
			Empty          []struct{ Dashboard, Panel, Reason string }
			Findings       []struct{ Message string }
		}
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("%s: %v in %q, %s", name, err, out, errOut)
		}
		if status != c.status || got.Panels < 60 || got.Panels-got.PanelsWithData != c.empty || len(got.Empty) != c.empty || got.Findings == nil {
			t.Errorf("%s: status %d, %+v", name, status, got)
		}
		if c.empty > 0 && (got.Empty[0].Dashboard != "Gateway / Overview" || got.Empty[0].Panel != "Goroutines" || got.Empty[0].Reason == "") {
			t.Errorf("%s: %+v", name, got.Empty)
		}
	}
}

func TestCheckAgainstPrometheusAsText(t *testing.T) {
	status, out, _ := dashctl("check", "--dir", committed, "--prometheus", api(t, "go_goroutine_count"))
	for _, want := range []string{`Gateway / Overview: panel "Goroutines": no data: query A returned no series`, "0 findings", "panels have data"} {
		if status != exitFindings || !strings.Contains(out, want) {
			t.Errorf("status %d, no word about %q in\n%s", status, want, out)
		}
	}
}

func TestCheckNamesFindings(t *testing.T) {
	dir := t.TempDir()
	data, err := os.ReadFile(filepath.Join(committed, "classic", "tailgate-gateway.json"))
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.Replace(data, []byte("go_goroutine_count"), []byte("go_goroutines"), 1)
	if err := os.WriteFile(filepath.Join(dir, "mine.json"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, _ := dashctl("check", "--dir", dir)
	if status != exitFindings || !strings.Contains(out, `mine.json: Gateway / Overview: panel "Goroutines", target A: metric go_goroutines is not in the contract`) {
		t.Errorf("status %d\n%s", status, out)
	}
}

func TestUsage(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	for name, c := range map[string]struct {
		args   []string
		status int
		want   string
	}{
		"nothing":       {nil, exitUsage, "usage: dashctl"},
		"help":          {[]string{"--help"}, exitOK, "check"},
		"help of verb":  {[]string{"check", "--help"}, exitOK, "-prometheus"},
		"misspelt":      {[]string{"chekc"}, exitUsage, `did you mean "check"?`},
		"unknown flag":  {[]string{"gen", "--chek"}, exitUsage, "-chek"},
		"argument":      {[]string{"gen", "x"}, exitUsage, `unexpected argument "x"`},
		"no folder":     {[]string{"check", "--dir", "nowhere"}, exitUsage, "load nowhere: no dashboards"},
		"wait alone":    {[]string{"check", "--dir", committed, "--wait", "3s"}, exitUsage, "--wait needs --prometheus"},
		"URL":           {[]string{"check", "--dir", committed, "--prometheus", "localhost:9090"}, exitUsage, "want http://host:port"},
		"nobody there":  {[]string{"check", "--dir", committed, "--prometheus", closed.URL}, exitUsage, "no answer from Prometheus at " + closed.URL},
		"list argument": {[]string{"list", "x"}, exitUsage, "unexpected argument"},
	} {
		status, _, errOut := dashctl(c.args...)
		if status != c.status || !strings.Contains(errOut, c.want) {
			t.Errorf("%s: status %d, want %d and a word about %q in\n%s", name, status, c.status, c.want, errOut)
		}
	}
}

func TestList(t *testing.T) {
	status, out, errOut := dashctl("list")
	for _, want := range []string{"tailgate-gateway", "Tail sampling", "Where spans go"} {
		if status != exitOK || !strings.Contains(out, want) {
			t.Errorf("status %d, no %q in\n%s%s", status, want, out, errOut)
		}
	}
}
