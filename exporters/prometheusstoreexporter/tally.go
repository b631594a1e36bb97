package prometheusstoreexporter

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/tailgate-otel/tailgate/exporters/prometheusstoreexporter/internal/metadata"
)

// tally counts what became of one batch. It reaches the instruments only when the batch is committed, so that a retried
// batch is counted once. It is owned by the goroutine that writes the batch.
type tally struct {
	samples          int64
	refused          [reasonCount]int64
	examples         [reasonCount]string // one sample per reason, for the log
	exemplars        int64
	exemplarsRefused [exemplarWhyCount]int64
}

func (t *tally) refuse(why reason, example string) {
	if t.refused[why]++; t.examples[why] == "" {
		t.examples[why] = example
	}
}

// refuseSample is refuse with an example that is only put into words when it is the first.
func (t *tally) refuseSample(why reason, ls labels.Labels, tMillis int64, err error) {
	if t.refused[why]++; t.examples[why] == "" {
		t.examples[why] = fmt.Sprintf("%s at %s: %s", ls, time.UnixMilli(tMillis).UTC().Format(time.RFC3339Nano), err)
	}
}

// instruments are the exporter's own metrics, with the attribute sets built once.
type instruments struct {
	builder         *metadata.TelemetryBuilder
	sampleReasons   [reasonCount]metric.AddOption
	exemplarReasons [exemplarWhyCount]metric.AddOption
}

func newInstruments(set component.TelemetrySettings) (*instruments, error) {
	builder, err := metadata.NewTelemetryBuilder(set)
	if err != nil {
		return nil, err
	}
	in := &instruments{builder: builder}
	for i, name := range reasonNames {
		in.sampleReasons[i] = because(name)
	}
	for i, name := range exemplarWhyNames {
		in.exemplarReasons[i] = because(name)
	}
	return in, nil
}

func because(name string) metric.AddOption {
	return metric.WithAttributeSet(attribute.NewSet(attribute.String("reason", name)))
}

func (in *instruments) shutdown() { in.builder.Shutdown() }

func (in *instruments) add(ctx context.Context, t *tally) {
	in.builder.ExporterPrometheusstoreSamplesAppended.Add(ctx, t.samples)
	for i, n := range t.refused {
		if n > 0 {
			in.builder.ExporterPrometheusstoreSamplesRefused.Add(ctx, n, in.sampleReasons[i])
		}
	}
	in.builder.ExporterPrometheusstoreExemplarsAppended.Add(ctx, t.exemplars)
	for i, n := range t.exemplarsRefused {
		if n > 0 {
			in.builder.ExporterPrometheusstoreExemplarsRefused.Add(ctx, n, in.exemplarReasons[i])
		}
	}
}
