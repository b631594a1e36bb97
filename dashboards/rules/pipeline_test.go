package rules_test

import (
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/upstream"
)

func TestPipelineAlerts(t *testing.T) {
	receiver := func(m telemetry.Metric, values string) string {
		return of(m, values, "receiver", "otlp", "transport", "grpc")
	}
	exporter := func(m telemetry.Metric, values string) string { return of(m, values, "exporter", "otlp/far") }
	queue := func(size string) []string {
		return []string{of(upstream.ExporterQueueSize, size, "exporter", "otlp/far", "data_type", "traces"),
			of(upstream.ExporterQueueCapacity, "1000x60", "exporter", "otlp/far", "data_type", "traces")}
	}
	run(t, "pipeline", []scenario{
		{name: "TailgateReceiverRefusing: spans", at: 16 * time.Minute,
			series: []string{receiver(upstream.ReceiverAcceptedSpans, "0+970x60"), receiver(upstream.ReceiverRefusedSpans, "0+20x60"), receiver(upstream.ReceiverFailedSpans, "0+10x60")},
			fires:  []string{`TailgateReceiverRefusing{instance="a", items="spans", receiver="otlp"}`}},
		{name: "TailgateReceiverRefusing: metric points and log records, without a failure ever", at: 16 * time.Minute,
			series: []string{
				receiver(upstream.ReceiverAcceptedMetricPoints, "0+1x60"), receiver(upstream.ReceiverRefusedMetricPoints, "0+1x60"),
				receiver(upstream.ReceiverAcceptedLogRecords, "0+1x60"), receiver(upstream.ReceiverFailedLogRecords, "0+1x60")},
			fires: []string{`TailgateReceiverRefusing{instance="a", items="metric points", receiver="otlp"}`,
				`TailgateReceiverRefusing{instance="a", items="log records", receiver="otlp"}`}},
		{name: "TailgateReceiverRefusing: one in a thousand", at: 25 * time.Minute,
			series: []string{receiver(upstream.ReceiverAcceptedSpans, "0+999x60"), receiver(upstream.ReceiverRefusedSpans, "0+1x60")}},
		{name: "TailgateReceiverRefusing: no traffic", at: 25 * time.Minute,
			series: []string{receiver(upstream.ReceiverAcceptedSpans, "999x60"), receiver(upstream.ReceiverRefusedSpans, "70x60")}},

		{name: "TailgateExporterFailing: one in ten", at: 16 * time.Minute,
			series: []string{exporter(upstream.ExporterSentSpans, "0+90x60"), exporter(upstream.ExporterSendFailedSpans, "0+10x60")},
			fires:  []string{`TailgateExporterFailing{exporter="otlp/far", instance="a", items="spans"}`}},
		{name: "TailgateExporterFailing: nothing was ever sent", at: 16 * time.Minute,
			series: []string{exporter(upstream.ExporterSendFailedLogRecords, "0+10x60"), exporter(upstream.ExporterSendFailedMetricPoints, "0+10x60")},
			fires: []string{`TailgateExporterFailing{exporter="otlp/far", instance="a", items="log records"}`,
				`TailgateExporterFailing{exporter="otlp/far", instance="a", items="metric points"}`}},
		{name: "TailgateExporterFailing: one in a hundred", at: 25 * time.Minute,
			series: []string{exporter(upstream.ExporterSentSpans, "0+99x60"), exporter(upstream.ExporterSendFailedSpans, "0+1x60")}},
		{name: "TailgateExporterFailing: idle", at: 25 * time.Minute,
			series: []string{exporter(upstream.ExporterSentSpans, "99x60"), exporter(upstream.ExporterSendFailedSpans, "10x60")}},

		{name: "TailgateExporterQueueFilling: 90 %", series: queue("900x60"), at: 10 * time.Minute,
			fires: []string{`TailgateExporterQueueFilling{data_type="traces", exporter="otlp/far", instance="a"}`}},
		{name: "TailgateExporterQueueFilling: 80 %", series: queue("800x60"), at: 25 * time.Minute},

		{name: "TailgateExporterQueueOverflowing: all the time", series: []string{exporter(upstream.ExporterEnqueueFailedSpans, "0+1x60")}, at: 10 * time.Minute,
			fires: []string{`TailgateExporterQueueOverflowing{exporter="otlp/far", instance="a"}`}},
		{name: "TailgateExporterQueueOverflowing: once", series: []string{exporter(upstream.ExporterEnqueueFailedSpans, "0x3 50x60")}, at: 12 * time.Minute},
	})
}
