package upstream

import "github.com/tailgate-otel/tailgate/telemetry"

// Attributes of the collector's own metrics.
var (
	AttrReceiver = telemetry.Attribute{
		Key: "receiver", Brief: "Component id of the receiver.", Bound: "the receivers of the collector's configuration",
	}
	AttrProcessor = telemetry.Attribute{
		Key: "processor", Brief: "Component id of the processor.", Bound: "the processors of the collector's configuration",
	}
	AttrOTelSignal = telemetry.Attribute{
		Key: "otel.signal", Brief: "Signal that the processor handles.", Values: []string{"traces", "metrics", "logs", "profiles"},
	}
	AttrTransport = telemetry.Attribute{
		Key: "transport", Brief: "How the data came in.", Bound: "the protocols of the receiver (grpc, http)",
	}
	AttrDataType = telemetry.Attribute{
		Key: "data_type", Brief: "Signal of the queue.", Values: []string{"traces", "metrics", "logs", "profiles"},
	}
)

// What receivers took and did not take.
var (
	ReceiverAcceptedSpans        = received("accepted_spans", "{span}", "Spans that entered the pipeline.")
	ReceiverRefusedSpans         = received("refused_spans", "{span}", "Spans that a component of the pipeline refused.")
	ReceiverFailedSpans          = received("failed_spans", "{span}", "Spans that failed in the receiver.")
	ReceiverAcceptedMetricPoints = received("accepted_metric_points", "{datapoint}", "Metric points that entered the pipeline.")
	ReceiverRefusedMetricPoints  = received("refused_metric_points", "{datapoint}", "Metric points that a component of the pipeline refused.")
	ReceiverFailedMetricPoints   = received("failed_metric_points", "{datapoint}", "Metric points that failed in the receiver.")
	ReceiverAcceptedLogRecords   = received("accepted_log_records", "{record}", "Log records that entered the pipeline.")
	ReceiverRefusedLogRecords    = received("refused_log_records", "{record}", "Log records that a component of the pipeline refused.")
	ReceiverFailedLogRecords     = received("failed_log_records", "{record}", "Log records that failed in the receiver.")
)

// What exporters sent, failed to send and hold in their queues.
var (
	ExporterSentSpans              = exported("sent_spans", "{span}", "Spans that reached the destination.")
	ExporterSendFailedSpans        = exported("send_failed_spans", "{span}", "Spans in attempts that failed.")
	ExporterEnqueueFailedSpans     = exported("enqueue_failed_spans", "{span}", "Spans that did not fit into the queue.")
	ExporterSentMetricPoints       = exported("sent_metric_points", "{datapoint}", "Metric points that reached the destination.")
	ExporterSendFailedMetricPoints = exported("send_failed_metric_points", "{datapoint}", "Metric points in attempts that failed.")
	ExporterSentLogRecords         = exported("sent_log_records", "{record}", "Log records that reached the destination.")
	ExporterSendFailedLogRecords   = exported("send_failed_log_records", "{record}", "Log records in attempts that failed.")

	ExporterQueueSize = metric(modExporter, "otelcol_exporter_queue_size", telemetry.Gauge, "{batch}",
		"Requests in the sending queue.", telemetry.AttrExporter, AttrDataType)
	ExporterQueueCapacity = metric(modExporter, "otelcol_exporter_queue_capacity", telemetry.Gauge, "{batch}",
		"Requests that fit into the sending queue.", telemetry.AttrExporter, AttrDataType)
)

// Items through processors.
var (
	ProcessorIncomingItems = processed("incoming_items", "Items passed to processors.")
	ProcessorOutgoingItems = processed("outgoing_items", "Items that processors emitted.")
)

// The collector's process.
var (
	ProcessCPUSeconds = metric(modService, "otelcol_process_cpu_seconds", telemetry.Counter, "s", "CPU time, user and system.")
	ProcessMemoryRSS  = metric(modService, "otelcol_process_memory_rss", telemetry.Gauge, "By", "Resident memory.")
	ProcessHeapAlloc  = metric(modService, "otelcol_process_runtime_heap_alloc_bytes", telemetry.Gauge, "By", "Bytes of live and not yet swept heap objects.")
	ProcessUptime     = metric(modService, "otelcol_process_uptime", telemetry.Counter, "s", "Time since the process started.")
)

// Collector lists the metrics that the collector records about itself.
func Collector() []telemetry.Metric {
	return []telemetry.Metric{
		ReceiverAcceptedSpans, ReceiverRefusedSpans, ReceiverFailedSpans,
		ReceiverAcceptedMetricPoints, ReceiverRefusedMetricPoints, ReceiverFailedMetricPoints,
		ReceiverAcceptedLogRecords, ReceiverRefusedLogRecords, ReceiverFailedLogRecords,
		ExporterSentSpans, ExporterSendFailedSpans, ExporterEnqueueFailedSpans,
		ExporterSentMetricPoints, ExporterSendFailedMetricPoints,
		ExporterSentLogRecords, ExporterSendFailedLogRecords,
		ExporterQueueSize, ExporterQueueCapacity,
		ProcessorIncomingItems, ProcessorOutgoingItems,
		ProcessCPUSeconds, ProcessMemoryRSS, ProcessHeapAlloc, ProcessUptime,
	}
}

func received(name, unit, description string) telemetry.Metric {
	return metric(modReceiver, "otelcol_receiver_"+name, telemetry.Counter, unit, description, AttrReceiver, AttrTransport)
}

func exported(name, unit, description string) telemetry.Metric {
	return metric(modExporter, "otelcol_exporter_"+name, telemetry.Counter, unit, description, telemetry.AttrExporter)
}

func processed(name, description string) telemetry.Metric {
	return metric(modProcessor, "otelcol_processor_"+name, telemetry.Counter, "{item}", description, AttrProcessor, AttrOTelSignal)
}
