package rules_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	engine "github.com/prometheus/prometheus/rules"

	"github.com/tailgate-otel/tailgate/dashboards/rules/promself"
	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/upstream"
)

// healthy is an hour of a system that is well, with the small mishaps of any day: a failed request in two hundred, a
// slow one in fifty, a refused sample now and then, a buffer at two thirds, a restarted target.
func healthy() []string {
	const steps = 120
	exporter := []string{"exporter", "otlp/far", "data_type", "traces"}
	remote := []string{"remote_name", "far", "url", "http://far"}
	cart := func(status string, n, bucket int) string {
		return served(n, bucket, steps, "http_route", "/cart", "http_response_status_code", status)
	}
	return []string{
		of(telemetry.GatewayRoutes, "4x120"), cart("200", 1940, in125ms), cart("201", 40, in1s), cart("503", 10, in125ms),
		of(telemetry.GatewayUpstreamEndpoints, "2x120", "gateway_upstream", "cart", "gateway_endpoint_state", "healthy"),
		of(telemetry.GatewayUpstreamEndpoints, "0x120", "gateway_upstream", "cart", "gateway_endpoint_state", "unhealthy"),
		of(telemetry.GatewayConfigLastReloadSuccessful, "1x120"),
		of(telemetry.SamplingBufferLimit, "1000x120"), of(telemetry.SamplingBufferSize, "660x120", "part", "log"),
		of(telemetry.SamplingDecisions, "0+3000x120", "reason", "wait"), of(telemetry.SamplingDecisions, "0+9x120", "reason", "memory"),
		of(telemetry.SamplingSpansRefused, "0x120", "reason", "memory"), of(telemetry.SamplingSpansKept, "0+200x120"),
		of(telemetry.SamplingSpansFailed, "0x120"), of(telemetry.SamplingDeliveryRetries, "0+1x120"),
		of(telemetry.SamplingDamagedSegments, "0x120"), of(upstream.ProcessUptime, "5+30x120"),
		of(telemetry.SamplingSpansDropped, "0+2000x120", "reason", "not_sampled"), of(telemetry.SamplingPolicyErrors, "0x120"),
		of(telemetry.SamplingPolicyReloads, "1x120", "outcome", "success"),
		of(upstream.ReceiverAcceptedSpans, "0+2000x120", "receiver", "otlp", "transport", "grpc"),
		of(upstream.ReceiverRefusedSpans, "0+1x120", "receiver", "otlp", "transport", "grpc"),
		of(upstream.ReceiverFailedSpans, "0x120", "receiver", "otlp", "transport", "grpc"),
		of(upstream.ExporterSentSpans, "0+200x120", "exporter", "otlp/far"),
		of(upstream.ExporterSendFailedSpans, "0+1x120", "exporter", "otlp/far"),
		of(upstream.ExporterEnqueueFailedSpans, "0x120", "exporter", "otlp/far"),
		of(upstream.ExporterQueueSize, "3x120", exporter...), of(upstream.ExporterQueueCapacity, "1000x120", exporter...),
		of(telemetry.StoreSamplesAppended, "0+9000x120"), of(telemetry.StoreSamplesRefused, "0+1x120", "reason", "duplicate"),
		of(promself.Up, "1x40 0x3 1x77"), of(promself.HeadSeries, "5000+10x120"),
		of(promself.WALWritesFailed, "0x120"), of(promself.WALTruncationsFailed, "0x120"), of(promself.CheckpointCreationsFailed, "0x120"),
		of(promself.CompactionsFailed, "0x120"), of(promself.ReloadsFailed, "0x120"),
		of(promself.RemoteHighest, "1000+30x120", remote...), of(promself.RemoteHighestSent, "990+30x120", remote...),
		of(promself.SamplesFailed, "0x120", remote...), of(promself.HistogramsFailed, "0x120", remote...),
		of(promself.SamplesDropped, "0+5x120", append(remote, "reason", "dropped_series")...),
		of(promself.RuleEvaluationFailures, "0x120", "rule_group", "x"), of(promself.GroupIterationsMissed, "0x120", "rule_group", "x"),
		of(promself.NotificationsDropped, "0x120", "alertmanager", "am"),
		of(promself.WebhookAlertsDropped, "0x120", "webhook", "chat", "reason", "refused"),
	}
}

// TestSilence plays all rules together, over a healthy system and over a store that has nothing yet.
func TestSilence(t *testing.T) {
	paths := slices.Sorted(maps.Values(emitted(t)))
	for name, world := range map[string][]string{"healthy": healthy(), "empty": {series("something_else", "1x120")}} {
		t.Run(name, func(t *testing.T) {
			said := map[string]bool{}
			play(t, paths, world, defaultStep, time.Minute, 40*time.Minute, func(_ time.Duration, alerts []*engine.Alert) {
				for _, f := range firing(alerts) {
					said[f] = true
				}
			})
			for f := range said {
				t.Errorf("%s fires", f)
			}
		})
	}
}
