package prometheusstoreexporter

import (
	"context"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/tailgate-otel/tailgate/exporters/prometheusstoreexporter/internal/metadata"
	"github.com/tailgate-otel/tailgate/internal/promfront"
)

// instruments are the exporter's own metrics, with the attribute sets built once.
type instruments struct {
	builder         *metadata.TelemetryBuilder
	sampleReasons   [promfront.ReasonCount]metric.AddOption
	exemplarReasons [promfront.ExemplarReasonCount]metric.AddOption
}

func newInstruments(set component.TelemetrySettings) (*instruments, error) {
	builder, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	in := &instruments{builder: builder}
	for i := range in.sampleReasons {
		in.sampleReasons[i] = because(promfront.Reason(i).String())
	}
	for i := range in.exemplarReasons {
		in.exemplarReasons[i] = because(promfront.ExemplarReason(i).String())
	}
	return in, nil
}

func because(name string) metric.AddOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String("reason", name)))
}

// watch observes how many series the front has.
func (in *instruments) watch(front *promfront.Front) error {
	err := in.builder.RegisterExporterPrometheusstoreSeriesCallback(func(_ context.Context, o metric.Int64Observer) error {
		o.Observe(int64(front.Offenders(0).Series))
		return nil
	})
	if err != nil {
		return fmt.Errorf("register a gauge: %w", err)
	}
	return nil
}

func (in *instruments) shutdown() { in.builder.Shutdown() }

// add counts what became of a batch.
func (in *instruments) add(ctx context.Context, t promfront.Tally) {
	in.builder.ExporterPrometheusstoreSamplesAppended.Add(ctx, t.Samples)
	in.builder.ExporterPrometheusstoreExemplarsAppended.Add(ctx, t.Exemplars)
	if t.Zeros > 0 {
		in.builder.ExporterPrometheusstoreZeroSamples.Add(ctx, t.Zeros)
	}
	if t.Overflowed > 0 {
		in.builder.ExporterPrometheusstorePointsOverflowed.Add(ctx, t.Overflowed)
	}
	for i, n := range t.Refused {
		if n > 0 {
			in.builder.ExporterPrometheusstoreSamplesRefused.Add(ctx, n, in.sampleReasons[i])
		}
	}
	for i, n := range t.ExemplarsRefused {
		if n > 0 {
			in.builder.ExporterPrometheusstoreExemplarsRefused.Add(ctx, n, in.exemplarReasons[i])
		}
	}
}
