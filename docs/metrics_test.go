package docs_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/tailgate-otel/tailgate/exporters/prometheusexporter"
	"github.com/tailgate-otel/tailgate/exporters/prometheusstoreexporter"
	"github.com/tailgate-otel/tailgate/internal/promfront"
	"github.com/tailgate-otel/tailgate/internal/testkit/readme"
)

const metricsDocument = "metrics.md"

var rewrite = flag.Bool("rewrite", false, "write the answers into the examples of docs/metrics.md")

// What the document says becomes of metrics is what becomes of them: each example is sent through the exporter into a
// database, and to the scrape endpoint where a page is shown.
func TestMetricsDocument(t *testing.T) {
	blocks := readme.Blocks(t, metricsDocument)
	var answers []readme.Block
	played := map[string]int{}
	var input readme.Block
	for _, block := range blocks {
		played[block.Info]++
		answer := block
		switch block.Info {
		case "yaml otlp":
			input = block
			continue
		case "text series", "text metadata":
			answer.Text = store(t, input, block.Info == "text metadata")
		case "text page":
			answer.Text = strings.ReplaceAll(page(t, input), " \n", "\n") // of a family without help
		default:
			continue
		}
		if !*rewrite {
			assert.Equal(t, compact(answer.Text), compact(block.Text), block.Place)
		}
		answers = append(answers, answer)
	}
	for _, info := range []string{"yaml otlp", "text series", "text metadata", "text page"} {
		assert.NotZero(t, played[info], "blocks of %s", info)
	}
	if *rewrite {
		rewriteBlocks(t, metricsDocument, answers)
	}
}

// The table of strategies is true of what it names in its header.
func TestTranslationStrategiesInTheDocument(t *testing.T) {
	rows := readme.Table(t, metricsDocument, "## Names and units")
	assert.Len(t, rows, 4)
	for _, row := range rows {
		strategy, _ := readme.Code(row["`translation_strategy`"])
		got := store(t, readme.Block{Text: `
exporter: {translation_strategy: ` + strategy + `}
send:
  - {at: 10s, name: http.server.duration, unit: s, type: histogram, bounds: [1], counts: [0, 1], count: 1, sum: 2}
  - {at: 10s, name: http.requests, type: sum, monotonic: true, value: 1, attributes: {http.route: /}}
`}, false)
		for header, cell := range row {
			if name, ok := readme.Code(cell); ok && header != "`translation_strategy`" {
				assert.Regexp(t, `(?m)(^|[{,"])`+regexp.QuoteMeta(name)+`["{=]`, got, strategy)
			}
		}
	}
}

// The table of reasons has those that the exporter counts.
func TestReasonsInTheDocument(t *testing.T) {
	var reasons []string
	for _, row := range readme.Table(t, metricsDocument, "## What is refused") {
		reason, _ := readme.Code(row["`reason`"])
		reasons = append(reasons, reason)
	}
	var counted []string
	for reason := range promfront.ReasonCount {
		counted = append(counted, reason.String())
	}
	assert.ElementsMatch(t, counted, reasons)
}

// compact makes lines equal that differ in the width of gaps.
func compact(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

// store plays an example and returns the series in the database after it, or the metadata.
func store(t *testing.T, block readme.Block, metadata bool) (answer string) {
	t.Helper()
	x, err := parseExample(block.Text)
	require.NoError(t, err, block.Place)
	synctest.Test(t, func(t *testing.T) {
		s := openStore(t)
		defer func() { require.NoError(t, s.Close()) }()
		telemetry := componenttest.NewTelemetry()
		defer func() { require.NoError(t, telemetry.Shutdown(context.Background())) }()
		exports, err := x.exports(s.begin)
		require.NoError(t, err, block.Place)
		factory := prometheusstoreexporter.NewFactory()
		set := exportertest.NewNopSettings(factory.Type())
		set.TelemetrySettings = telemetry.NewTelemetrySettings()
		exporter, err := factory.CreateMetrics(t.Context(), set, configure(t, factory.CreateDefaultConfig(), x.Exporter))
		require.NoError(t, err)
		require.NoError(t, exporter.Start(t.Context(), host{s}))
		for _, e := range exports {
			time.Sleep(time.Until(s.begin.Add(e.at)))
			require.NoError(t, exporter.ConsumeMetrics(t.Context(), e.metrics), block.Place)
		}
		require.NoError(t, exporter.Shutdown(t.Context()))
		lines := s.dump(t)
		if metadata {
			lines = s.metadata()
		}
		lines = append(lines, counted(t, telemetry)...)
		answer = strings.Join(lines, "\n") + "\n"
	})
	return answer
}

func configure(t *testing.T, cfg component.Config, keys map[string]any) component.Config {
	t.Helper()
	require.NoError(t, confmap.NewFromStringMap(keys).Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	return cfg
}

// counted returns what the exporter says about points that are not stored as they were sent.
func counted(t *testing.T, telemetry *componenttest.Telemetry) (lines []string) {
	t.Helper()
	for _, name := range []string{"samples_refused", "exemplars_refused", "points_overflowed"} {
		m, err := telemetry.GetMetric("otelcol_exporter_prometheusstore_" + name)
		if err != nil {
			continue // nothing was counted
		}
		var found []string
		for _, p := range m.Data.(metricdata.Sum[int64]).DataPoints {
			reason, _ := p.Attributes.Value("reason")
			if p.Value > 0 {
				found = append(found, strings.Join(strings.Fields(fmt.Sprint(name, " ", reason.AsString(), " ", p.Value)), " "))
			}
		}
		slices.Sort(found)
		lines = append(lines, found...)
	}
	return lines
}

// page plays an example and returns what a scraper then gets from the scrape endpoint.
func page(t *testing.T, block readme.Block) string {
	t.Helper()
	x, err := parseExample(block.Text)
	require.NoError(t, err, block.Place)
	exports, err := x.exports(time.Now().Add(-time.Hour).Truncate(time.Second))
	require.NoError(t, err, block.Place)
	dir, err := os.MkdirTemp("", "page") // t.TempDir is too long for the address of a socket
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	socket := filepath.Join(dir, "s")

	factory := prometheusexporter.NewFactory()
	keys := map[string]any{"transport": "unix", "endpoint": socket, "enable_open_metrics": true}
	exporter, err := factory.CreateMetrics(t.Context(), exportertest.NewNopSettings(factory.Type()),
		configure(t, factory.CreateDefaultConfig(), keys))
	require.NoError(t, err)
	require.NoError(t, exporter.Start(t.Context(), componenttest.NewNopHost()))
	defer func() { require.NoError(t, exporter.Shutdown(context.Background())) }()
	for _, e := range exports {
		require.NoError(t, exporter.ConsumeMetrics(t.Context(), e.metrics))
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://page/metrics", nil)
	require.NoError(t, err)
	request.Header.Set("Accept", "application/openmetrics-text;version=1.0.0")
	response, err := transport.RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body)
}

// rewriteBlocks puts the texts of the blocks in the place of those that stand in the file.
func rewriteBlocks(t *testing.T, file string, blocks []readme.Block) {
	t.Helper()
	lines := strings.Split(readme.Read(t, file), "\n")
	for _, b := range slices.Backward(blocks) {
		end := b.Line
		for strings.TrimSpace(lines[end]) != "```" {
			end++
		}
		lines = slices.Replace(lines, b.Line, end, strings.Split(strings.TrimSuffix(b.Text, "\n"), "\n")...)
	}
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o644))
}
