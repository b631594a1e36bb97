package prometheusexporter_test

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/metric/metricdata/metricdatatest"
	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/exporters/prometheusexporter"
	"github.com/tailgate-otel/tailgate/exporters/prometheusexporter/internal/metadatatest"
	"github.com/tailgate-otel/tailgate/internal/promfront"
)

func TestAddressInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	cfg := newDefaults().(*prometheusexporter.Config)
	cfg.Server.NetAddr.Endpoint = taken.Addr().String()
	factory := prometheusexporter.NewFactory()
	e, err := factory.CreateMetrics(t.Context(), exportertest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	err = e.Start(t.Context(), componenttest.NewNopHost())
	assert.ErrorContains(t, err, "endpoint: listen on "+taken.Addr().String())
	require.NoError(t, e.Shutdown(t.Context()), "works without a start that succeeded")
	require.NoError(t, e.Shutdown(t.Context()), "works twice")
}

// The exporter changes what it is given only when it copies resource attributes to points.
func TestChangesDataOnlyForResourceLabels(t *testing.T) {
	assert.False(t, start(t, prometheusexporter.NewFactory(), nil).Capabilities().MutatesData)
	assert.True(t, start(t, prometheusexporter.NewFactory(), map[string]any{
		"resource_constant_labels": map[string]any{"included": []any{"host.*"}},
	}).Capabilities().MutatesData)
}

// The exporter's own metrics tell what was shown, refused and scraped.
func TestOwnMetrics(t *testing.T) {
	telemetry := componenttest.NewTelemetry()
	t.Cleanup(func() { require.NoError(t, telemetry.Shutdown(context.Background())) })
	e := startWith(t, prometheusexporter.NewFactory(), nil, func(s *exporter.Settings) { s.TelemetrySettings = telemetry.NewTelemetrySettings() })

	md := pmetric.NewMetrics()
	gaugePoint(md, "pod-a", "g", "", 1)
	gaugePoint(md, "pod-b", "g", "", 2)
	md.ResourceMetrics().At(1).ScopeMetrics().At(0).Metrics().At(0).SetDescription("other help")
	md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).SetDescription("help")
	counterPoint(md, "pod-c", "g", 3, 10)
	e.push(t, md)
	late := pmetric.NewMetrics()
	gaugePoint(late, "pod-a", "g", "", 1).SetTimestamp(5e9)
	e.push(t, late)
	e.get(t, acceptText)
	e.get(t, acceptText)
	e.get(t, acceptProtobuf)

	ignoreTime, ignoreExemplars := metricdatatest.IgnoreTimestamp(), metricdatatest.IgnoreExemplars()
	metadatatest.AssertEqualExporterPrometheusSamplesShown(t, telemetry, []metricdata.DataPoint[int64]{{Value: 3}}, ignoreTime, ignoreExemplars)
	metadatatest.AssertEqualExporterPrometheusSamplesRefused(t, telemetry, []metricdata.DataPoint[int64]{{Value: 1, Attributes: attributes("reason", "out_of_order")}}, ignoreTime, ignoreExemplars)
	metadatatest.AssertEqualExporterPrometheusSeries(t, telemetry, []metricdata.DataPoint[int64]{{Value: 6}}, ignoreTime, ignoreExemplars)
	metadatatest.AssertEqualExporterPrometheusConflicts(t, telemetry, []metricdata.DataPoint[int64]{
		{Value: 1, Attributes: attributes("conflict", "help")}, {Value: 0, Attributes: attributes("conflict", "type")},
	}, ignoreTime, ignoreExemplars)
	metadatatest.AssertEqualExporterPrometheusScrapes(t, telemetry, []metricdata.DataPoint[int64]{
		{Value: 2, Attributes: attributes("format", "text")},
		{Value: 0, Attributes: attributes("format", "openmetrics")},
		{Value: 1, Attributes: attributes("format", "protobuf")},
	}, ignoreTime, ignoreExemplars)
	metadatatest.AssertEqualExporterPrometheusScrapesFailed(t, telemetry, []metricdata.DataPoint[int64]{{Value: 0}}, ignoreTime, ignoreExemplars)
	metadatatest.AssertEqualExporterPrometheusMetricsExpired(t, telemetry, []metricdata.DataPoint[int64]{{Value: 0}}, ignoreTime, ignoreExemplars)
}

func attributes(key, value string) attribute.Set {
	return attribute.NewSet(attribute.String(key, value))
}

// The declared reasons are those of the translation.
func TestReasonsAreDeclared(t *testing.T) {
	text, err := os.ReadFile("metadata.yaml")
	require.NoError(t, err)
	var declared struct {
		Attributes map[string]struct{ Enum []string }
	}
	require.NoError(t, yaml.Unmarshal(text, &declared))
	var reasons []string
	for why := range promfront.ReasonCount {
		reasons = append(reasons, why.String())
	}
	assert.Equal(t, reasons, declared.Attributes["reason"].Enum)
}

// Batches that come at once are all shown.
func TestConcurrentExports(t *testing.T) {
	e := start(t, prometheusexporter.NewFactory(), nil)
	errs := make(chan error)
	const senders = 8
	for i := range senders {
		go func() {
			md := pmetric.NewMetrics()
			gaugePoint(md, "pod-"+strings.Repeat("x", i+1), "g", "", float64(i))
			errs <- e.ConsumeMetrics(t.Context(), md)
		}()
	}
	for range senders {
		require.NoError(t, <-errs)
	}
	page := e.page(t, acceptText)
	assert.Len(t, page.Series, 2*senders, "each with its target_info")
	assert.Empty(t, page.Repeated)
}
