package rules

import (
	"fmt"
	"time"

	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/upstream"
)

func (s sheet) pipeline() []Group {
	return []Group{
		{Name: "tailgate-receivers", Interval: often, Alerts: []Alert{
			s.receiverLoses("spans", upstream.ReceiverAcceptedSpans, upstream.ReceiverRefusedSpans, upstream.ReceiverFailedSpans),
			s.receiverLoses("metric points", upstream.ReceiverAcceptedMetricPoints, upstream.ReceiverRefusedMetricPoints,
				upstream.ReceiverFailedMetricPoints),
			s.receiverLoses("log records", upstream.ReceiverAcceptedLogRecords, upstream.ReceiverRefusedLogRecords,
				upstream.ReceiverFailedLogRecords),
		}},
		{Name: "tailgate-exporters", Interval: often, Alerts: []Alert{
			s.exporterFails("spans", upstream.ExporterSentSpans, upstream.ExporterSendFailedSpans),
			s.exporterFails("metric points", upstream.ExporterSentMetricPoints, upstream.ExporterSendFailedMetricPoints),
			s.exporterFails("log records", upstream.ExporterSentLogRecords, upstream.ExporterSendFailedLogRecords),
			s.queueFull(), s.queueOverflows(),
		}},
	}
}

// receiverLoses is one of three rules of one name, one for each signal.
func (s sheet) receiverLoses(items string, accepted, refused, failed telemetry.Metric) Alert {
	key := upstream.AttrReceiver.Key
	taken := s.rate(accepted, everything, key)
	lost := s.rate(refused, everything, key).OrZeroOf(taken).Plus(s.rate(failed, everything, key).OrZeroOf(taken))
	return Alert{
		Name: "TailgateReceiverRefusing", Severity: Warning, For: 10 * time.Minute, Labels: map[string]string{"items": items},
		When:    per(short, lost.Over(taken.Plus(lost))).above(0.01),
		Summary: fmt.Sprintf(`{{ $labels.receiver }} on {{ $labels.instance }} does not take {{ $value | humanizePercentage }} of its %s`, items),
		Description: fmt.Sprintf(`Something behind {{ $labels.receiver }} on {{ $labels.instance }} refuses %s, most often the memory limiter or `+
			`a full queue, or the receiver itself fails. Senders that retry cover for it for a while.`, items),
		Look: ofProgram(pipelineDashboard),
	}
}

func (s sheet) exporterFails(items string, sent, failed telemetry.Metric) Alert {
	key := telemetry.AttrExporter.Key
	lost := s.rate(failed, everything, key)
	return Alert{
		Name: "TailgateExporterFailing", Severity: Critical, For: 10 * time.Minute, Labels: map[string]string{"items": items},
		When:    per(short, lost.Over(s.rate(sent, everything, key).OrZeroOf(lost).Plus(lost))).above(0.05),
		Summary: fmt.Sprintf(`{{ $labels.exporter }} on {{ $labels.instance }} fails to send {{ $value | humanizePercentage }} of its %s`, items),
		Description: fmt.Sprintf(`The destination of {{ $labels.exporter }} on {{ $labels.instance }} does not take %s. What is not sent again `+
			`is lost; the collector's log has the destination's answer.`, items),
		Look: ofProgram(pipelineDashboard),
	}
}

func (s sheet) queueFull() Alert {
	keys := []string{telemetry.AttrExporter.Key, upstream.AttrDataType.Key}
	fill := s.value(upstream.ExporterQueueSize, keys...).Over(s.value(upstream.ExporterQueueCapacity, keys...))
	return Alert{
		Name: "TailgateExporterQueueFilling", Severity: Warning, For: 10 * time.Minute,
		When:    now(fill).above(0.8),
		Summary: `The queue of {{ $labels.exporter }} on {{ $labels.instance }} is {{ $value | humanizePercentage }} full`,
		Description: `The destination of {{ $labels.exporter }} takes {{ $labels.data_type }} more slowly than they come. When the queue on ` +
			`{{ $labels.instance }} is full, new data is refused.`,
		Look: ofProgram(pipelineDashboard),
	}
}

func (s sheet) queueOverflows() Alert {
	return Alert{
		Name: "TailgateExporterQueueOverflowing", Severity: Critical, For: 5 * time.Minute,
		When:    per(short, s.rate(upstream.ExporterEnqueueFailedSpans, everything, telemetry.AttrExporter.Key)).above(0),
		Summary: `The queue of {{ $labels.exporter }} on {{ $labels.instance }} turns away {{ $value | humanize }} spans a second`,
		Description: `The queue of {{ $labels.exporter }} on {{ $labels.instance }} is full and spans do not fit into it. Unless their sender ` +
			`tries again, they are lost.`,
		Look: ofProgram(pipelineDashboard),
	}
}
