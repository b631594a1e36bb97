package peers

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/internal/testkit/promserver"
)

// TestStockServerOpensOurDirectory leaves: the collector is gone, in order or by kill -9, and a stock server goes on in
// its data directory with every sample that was acknowledged.
func TestStockServerOpensOurDirectory(t *testing.T) {
	for name, end := range map[string]func(*collector, *testing.T){
		"after a shutdown": func(c *collector, t *testing.T) { c.Stop(t) },
		"after kill -9":    func(c *collector, t *testing.T) { c.Kill(t) },
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Now().Truncate(time.Second)
			dir := t.TempDir()
			s, ours := store(t, "moves", dir, nil, nil)
			c := start(t, "", s)
			fillBlocks(t, c, ours, now)
			before := ours.Read(t, now.Add(-blockAge-time.Hour), now.Add(time.Hour))
			exemplarsBefore := exemplars(t, ours, now)
			end(c, t)
			if before.Samples() < 2000 || exemplarsBefore.Samples() < 200 {
				t.Fatalf("only %d samples and %d exemplars to move", before.Samples(), exemplarsBefore.Samples())
			}
			stock := promserver.Start(t, promserver.Settings{Dir: dir, Flags: []string{"--enable-feature=exemplar-storage"}})
			differ := known(t, "directory")
			compareDumps(t, "directory", before, stock.API.Read(t, now.Add(-blockAge-time.Hour), now.Add(time.Hour)), differ)
			compareDumps(t, "directory", exemplarsBefore, exemplars(t, stock.API, now), nil)
		})
	}
}

// blockAge is more than the head may span: 1.5 blocks of 2 h.
const blockAge = 4 * time.Hour

// fillBlocks stores exports of two times, so far apart that the older ones are compacted into a block, and waits for it.
func fillBlocks(t *testing.T, c *collector, ours promserver.API, now time.Time) {
	t.Helper()
	for _, end := range []time.Time{now.Add(-blockAge), now} {
		for _, md := range payload(8, end) {
			mustExport(t, c.otlp, otlpPath, md)
		}
	}
	promserver.Eventually(t, 30*time.Second, func() error {
		answer := ours.Get(t, "/api/v1/status/tsdb/blocks", nil)
		if !strings.Contains(string(answer.Body), "ulid") {
			return fmt.Errorf("no block yet: %s", answer.Body)
		}
		return nil
	})
}

// TestOurStoreOpensAStockDirectory moves in the other direction, with the stock server killed.
func TestOurStoreOpensAStockDirectory(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	stock := stockOTLP(t, "{}")
	for _, md := range payload(8, now) {
		mustExport(t, stock.API, stockOTLPPath, md)
	}
	before := stock.API.Read(t, now.Add(-time.Hour), now.Add(time.Hour))
	stock.Kill(t)
	s, ours := store(t, "moved", stock.Dir, nil, nil)
	start(t, "", s)
	if before.Samples() < 2000 {
		t.Fatalf("only %d samples to move", before.Samples())
	}
	compareDumps(t, "directory", ours.Read(t, now.Add(-time.Hour), now.Add(time.Hour)), before, nil)
}

// TestPromtool uses the stock tool on our API, our metrics and our directory.
func TestPromtool(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	dir, scratch := t.TempDir(), t.TempDir()
	s, ours := store(t, "tool", dir, nil, nil)
	c := start(t, "", s)
	fillBlocks(t, c, ours, now)
	at, from := fmt.Sprint(now.Unix()), fmt.Sprint(now.Add(-2*time.Minute).Unix())
	server := string(ours)
	for _, tc := range []struct {
		args []string
		want []string
	}{
		{[]string{"check", "healthy", "--url=" + server}, []string{"SUCCESS"}},
		{[]string{"check", "ready", "--url=" + server}, []string{"SUCCESS"}},
		{[]string{"query", "instant", "--time=" + at, server, "sum(counter_in_0_total)"}, []string{"{} => 24000 @["}},
		{[]string{"query", "range", "--start=" + from, "--end=" + at, "--step=15s", server, "max(counter_in_0_total)"}, []string{"7000 @[", "8000 @["}},
		{[]string{"query", "series", "--match=target_info", "--start=" + from, "--end=" + at, server}, []string{`instance="shop-0"`, `host_name="host-1"`}},
		{[]string{"query", "labels", "--start=" + from, "--end=" + at, server, "instance"}, []string{"shop-0", "shop-1"}},
		{[]string{"query", "analyze", "--server=" + server, "--type=histogram", "--match=latency_0_milliseconds", "--duration=5m"}, nil},
		{[]string{"debug", "metrics", server}, []string{"debug.tar.gz"}},
	} {
		t.Run(strings.Join(tc.args[:2], " "), func(t *testing.T) { promtool(t, scratch, tc.args, tc.want) })
	}
	t.Run("check metrics", func(t *testing.T) { checkMetrics(t, ours) })
	c.Stop(t)
	for _, tc := range []struct {
		args []string
		want []string
	}{
		{[]string{"tsdb", "dump", "--match={__name__=\"counter_in_0_total\"}", dir}, []string{`instance="shop-1"`, " 8000 "}},
		{[]string{"tsdb", "list", "-r", dir}, []string{"BLOCK ULID", "NUM SERIES"}},
		{[]string{"tsdb", "analyze", dir}, []string{"Total Series: ", "Label pairs most involved in churning:"}},
		{[]string{"tsdb", "dump-openmetrics", "--match={__name__=\"queue_length_total_0\"}", dir}, []string{"# EOF"}},
	} {
		t.Run(strings.Join(tc.args[:2], " "), func(t *testing.T) { promtool(t, scratch, tc.args, tc.want) })
	}
}

func promtool(t *testing.T, dir string, args, wants []string) {
	t.Helper()
	output, exit := promserver.Promtool{Args: args, Dir: dir}.Run(t)
	if exit != 0 {
		t.Errorf("promtool %s: exit status %d", strings.Join(args, " "), exit)
	}
	for _, want := range wants {
		if !strings.Contains(output, want) {
			t.Errorf("promtool %s: no %q in its output", strings.Join(args, " "), want)
		}
	}
	if t.Failed() {
		t.Logf("%.3000s", output)
	}
}

// checkMetrics pipes our own metrics through promtool's linter, which may find what it finds in a stock server's.
func checkMetrics(t *testing.T, ours promserver.API) {
	t.Helper()
	lint := func(api promserver.API) []string {
		text := string(api.Get(t, "/metrics", nil).Body)
		if strings.Count(text, "# HELP") < 100 {
			t.Fatalf("only a few metrics:\n%.1000s", text)
		}
		output, _ := promserver.Promtool{Args: []string{"check", "metrics"}, Stdin: text}.Run(t)
		return slices.Collect(strings.Lines(output))
	}
	stock := promserver.Start(t, promserver.Settings{})
	for _, line := range missing(lint(ours), lint(stock.API)) {
		t.Errorf("of ours alone: %s", line)
	}
}
