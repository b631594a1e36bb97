package prometheusexporter

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/tailgate-otel/tailgate/exporters/prometheusexporter/internal/metadata"
	"github.com/tailgate-otel/tailgate/internal/exposition"
	"github.com/tailgate-otel/tailgate/internal/promfront"
)

// instruments are the exporter's own metrics, with the attribute sets built once.
type instruments struct {
	builder *metadata.TelemetryBuilder
	reasons [promfront.ReasonCount]metric.AddOption
}

func newInstruments(set component.TelemetrySettings, page *exposition.Exposition) (*instruments, error) {
	builder, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	in := &instruments{builder: builder}
	for why := range promfront.ReasonCount {
		in.reasons[why] = with("reason", why.String())
	}
	return in, in.observe(page)
}

// observe has the figures that the page counts by itself read when they are wanted.
func (in *instruments) observe(page *exposition.Exposition) error {
	one := func(figure func(exposition.Stats) uint64) metric.Int64Callback {
		return func(_ context.Context, o metric.Int64Observer) error {
			o.Observe(int64(figure(page.Stats())))
			return nil
		}
	}
	help, typ := with("conflict", "help"), with("conflict", "type")
	text, openMetrics, protobuf := with("format", "text"), with("format", "openmetrics"), with("format", "protobuf")
	return errors.Join(
		in.builder.RegisterExporterPrometheusSeriesCallback(one(func(s exposition.Stats) uint64 { return uint64(s.Series) })),
		in.builder.RegisterExporterPrometheusMetricsExpiredCallback(one(func(s exposition.Stats) uint64 { return s.Expired })),
		in.builder.RegisterExporterPrometheusScrapesFailedCallback(one(func(s exposition.Stats) uint64 { return s.FailedScrapes })),
		in.builder.RegisterExporterPrometheusConflictsCallback(func(_ context.Context, o metric.Int64Observer) error {
			s := page.Stats()
			o.Observe(int64(s.HelpConflicts), help)
			o.Observe(int64(s.TypeConflicts), typ)
			return nil
		}),
		in.builder.RegisterExporterPrometheusScrapesCallback(func(_ context.Context, o metric.Int64Observer) error {
			s := page.Stats()
			o.Observe(int64(s.TextScrapes), text)
			o.Observe(int64(s.OpenMetricsScrapes), openMetrics)
			o.Observe(int64(s.ProtobufScrapes), protobuf)
			return nil
		}),
	)
}

func with(key, value string) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String(key, value)))
}

func (in *instruments) shutdown() { in.builder.Shutdown() }

func (in *instruments) add(ctx context.Context, t *promfront.Tally) {
	in.builder.ExporterPrometheusSamplesShown.Add(ctx, t.Samples)
	for why, n := range t.Refused {
		if n > 0 {
			in.builder.ExporterPrometheusSamplesRefused.Add(ctx, n, in.reasons[why])
		}
	}
}
