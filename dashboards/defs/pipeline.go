package defs

import (
	"github.com/tailgate-otel/tailgate/dashboards/model"
	"github.com/tailgate-otel/tailgate/dashboards/query"
	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/upstream"
)

// Attribute keys of the collector's own metrics.
var (
	keyReceiver  = upstream.AttrReceiver.Key
	keyTransport = upstream.AttrTransport.Key
	keyExporter  = telemetry.AttrExporter.Key
	keyProcessor = upstream.AttrProcessor.Key
	keySignal    = upstream.AttrOTelSignal.Key
)

// pipelineSheet is the sheet with the selections that all panels of the collector's dashboard share.
type pipelineSheet struct {
	*sheet
	scope   query.Scope
	balance spanBalance
	// alive is there as long as the collector is, and stands behind counters that nothing has touched yet.
	alive query.Expr
}

func pipeline(s *sheet) model.Dashboard {
	scope := query.NewScope(s.naming)
	p := pipelineSheet{sheet: s, scope: scope, balance: spanBalance{scope}, alive: scope.Total(upstream.ProcessUptime)}
	return model.Dashboard{
		UID: uidPipeline, Title: "Collector / Pipeline", Tags: []string{"tailgate", "collector"},
		Description: "Does everything that comes in come out, and where is it when it does not?",
		Variables:   s.programs(scope, upstream.ProcessUptime),
		Links: []model.Link{
			{UID: uidSampling, Title: "Tail sampling", Tooltip: "What is kept, and why",
				Variables: []string{query.LabelJob, query.LabelInstance}},
			{UID: uidGateway, Title: "Gateway / Overview", Tooltip: "The program whose telemetry this is"},
		},
		Rows: []model.Row{
			{ID: 1, Title: "Balance of spans", Panels: p.balances()},
			{ID: 2, Title: "Receivers", Panels: p.receivers()},
			{ID: 3, Title: "Processors and connectors", Panels: p.components()},
			{ID: 4, Title: "Exporters", Panels: p.exporters()},
			{ID: 5, Title: "Embedded store", Panels: p.store()},
			{ID: 6, Title: "Process", Panels: p.process()},
		},
	}
}

func (p pipelineSheet) balances() []model.Panel {
	rate := p.scope.Rate
	return []model.Panel{
		stat(11, text{"Spans in", "Spans that receivers accepted, per second."},
			model.UnitCountPerSec, plain(), p.line("in", rate(upstream.ReceiverAcceptedSpans).Sum())),
		stat(12, text{"Kept", "Spans of kept traces that were handed on, per second. What is stored and paid for."},
			model.UnitCountPerSec, plain(), p.line("kept", p.balance.kept(rate))),
		stat(13, text{"Dropped", "Spans that sampling let go on purpose, per second. They are in the span metrics all the same."},
			model.UnitCountPerSec, plain(), p.line("dropped", p.balance.dropped(rate))),
		stat(14, text{"Held", "Spans that wait for the decision on their trace. About spans per second times decision_wait. A climb at an even load is a destination that does not take what is kept."},
			model.UnitShort, plain(), p.line("held", p.balance.held())),
		stat(15, text{"Unexplained", "Spans that the sampler took in and that are neither kept, dropped, failed nor held. Not 0 for longer than a point: a defect of the sampler, please report it."},
			model.UnitShort, none(), p.line("unexplained", p.balance.unexplained())),
		stat(16, text{"Samples stored", "Samples that the embedded store took, per second."},
			model.UnitCountPerSec, plain(), p.line("samples", rate(telemetry.StoreSamplesAppended).Sum())),
		p.whereSpansGo(p.balance, 17, 12),
		graph(18, 6, text{"Held and unexplained", "Held moves with traffic and stays when it ends before its decisions; unexplained stays at 0."},
			model.UnitShort, p.line("held", p.balance.held()), p.line("unexplained", p.balance.unexplained())),
		note(19, 6, graphHeight, text{"How to read the balance", "Which counts the sum is made of, and what is not in it."},
			"**in + recovered + rescued = kept + dropped + failed + held**", "",
			"- *in*: taken by the sampler", "- *recovered*: found in storage at start",
			"- *rescued*: dropped, and kept after all", "- *kept*: handed on and accepted", "- *dropped*: let go, each with a reason",
			"- *failed*: kept, and not accepted", "- *held*: waiting", "",
			"What was refused is not in it: its sender has it and tries again."),
	}
}

func (p pipelineSheet) receivers() []model.Panel {
	legend := " " + p.scope.Legend(keyReceiver, keyTransport)
	signal := func(id int, t text, accepted, refused, failed telemetry.Metric) model.Panel {
		line := func(word string, m telemetry.Metric) model.Target {
			return p.line(word+legend, p.scope.Rate(m).SumBy(keyReceiver, keyTransport))
		}
		return graph(id, 8, t, model.UnitCountPerSec, line("accepted", accepted), line("refused", refused), line("failed", failed))
	}
	const advice = "Refused: something further down said no, often the memory limiter, and the client was told to try again. Failed: the receiver itself erred."
	return []model.Panel{
		signal(21, text{"Spans received", advice}, upstream.ReceiverAcceptedSpans, upstream.ReceiverRefusedSpans, upstream.ReceiverFailedSpans),
		signal(22, text{"Metric points received", advice},
			upstream.ReceiverAcceptedMetricPoints, upstream.ReceiverRefusedMetricPoints, upstream.ReceiverFailedMetricPoints),
		signal(23, text{"Log records received", advice},
			upstream.ReceiverAcceptedLogRecords, upstream.ReceiverRefusedLogRecords, upstream.ReceiverFailedLogRecords),
	}
}

func (p pipelineSheet) components() []model.Panel {
	by := func(m telemetry.Metric) query.Expr { return p.scope.Rate(m).SumBy(keyProcessor, keySignal) }
	legend := " " + p.scope.Legend(keyProcessor, keySignal)
	counted := query.NewWholeScope(p.naming).Rate(upstream.SpanMetricsCalls).SumBy(keyService)
	lost := func(word string, refused, failed telemetry.Metric) model.Target {
		return p.line(word, p.scope.Rate(refused).Sum().Plus(p.scope.Rate(failed).Sum()).OrZeroWith(p.alive))
	}
	return []model.Panel{
		graph(31, 8, text{"Through processors", "Items into and out of each processor. Less out than in is sampling or filtering on purpose; for all others it is loss."},
			model.UnitCountPerSec, p.line("in"+legend, by(upstream.ProcessorIncomingItems)), p.line("out"+legend, by(upstream.ProcessorOutgoingItems))),
		stacked(32, 8, text{"Spans by service", "Spans that the span metrics connector counted before sampling, of all collectors together: who sends the most. " +
			"The sum is Spans in; less means that the connector reached its limit of series."},
			model.UnitCountPerSec, p.line(p.scope.Legend(keyService), counted)),
		stacked(33, 8, text{"Refused or failed", "Items that the pipeline did not take, by signal. Refused ones are sent again by good clients; when it goes on, " +
			"raise the limit of the memory limiter or add collectors."},
			model.UnitCountPerSec, lost("spans", upstream.ReceiverRefusedSpans, upstream.ReceiverFailedSpans),
			lost("metric points", upstream.ReceiverRefusedMetricPoints, upstream.ReceiverFailedMetricPoints),
			lost("log records", upstream.ReceiverRefusedLogRecords, upstream.ReceiverFailedLogRecords)),
	}
}

func (p pipelineSheet) exporters() []model.Panel {
	legend := p.scope.Legend(keyExporter)
	rate := func(m telemetry.Metric) query.Expr { return p.scope.Rate(m).SumBy(keyExporter).OrZeroWith(p.alive) }
	queue := p.scope.Value(upstream.ExporterQueueSize).SumBy(keyExporter).
		Over(p.scope.Value(upstream.ExporterQueueCapacity).SumBy(keyExporter)).OrZeroWith(p.alive)
	return []model.Panel{
		graph(41, 8, text{"Sent", "What reached its destination, by exporter. Spans are kept traces; metric points include span metrics."},
			model.UnitCountPerSec, p.line("spans "+legend, rate(upstream.ExporterSentSpans)),
			p.line("points "+legend, p.scope.Rate(upstream.ExporterSentMetricPoints).SumBy(keyExporter)), p.line("logs "+legend, rate(upstream.ExporterSentLogRecords))),
		stacked(42, 8, text{"Failed to send", "Items in attempts that failed, by exporter. They are tried again when retries are on; the exporter's log has the answer of the destination."},
			model.UnitCountPerSec, p.line("spans "+legend, rate(upstream.ExporterSendFailedSpans)),
			p.line("points "+legend, rate(upstream.ExporterSendFailedMetricPoints)), p.line("logs "+legend, rate(upstream.ExporterSendFailedLogRecords))),
		ratio(limits(graph(43, 8, text{"Queue fill", "Share of the sending queue in use. Above the line the destination is too slow or away; at 100 % new data is refused. " +
			"none: no exporter has a queue."},
			model.UnitPercent, p.line(legend, queue)), model.Steps(model.Good, model.From(0.8, model.Bad)))),
	}
}

func (p pipelineSheet) store() []model.Panel {
	const keyReason = "reason"
	return []model.Panel{
		graph(51, 12, text{"Samples stored", "Samples that the embedded Prometheus took, per second, by instance. It follows the number of series, not of requests."},
			model.UnitCountPerSec, p.line("{{instance}}", p.scope.Rate(telemetry.StoreSamplesAppended).SumBy(query.LabelInstance))),
		stacked(52, 12, text{"Samples refused", "By reason; the rest of their batch is stored. Out-of-order and duplicate samples mean that two senders share an identity."},
			model.UnitCountPerSec, p.line(p.scope.Legend(keyReason), p.scope.Rate(telemetry.StoreSamplesRefused).SumBy(keyReason).OrZeroWith(p.alive))),
	}
}

func (p pipelineSheet) process() []model.Panel {
	const legend = "{{instance}}"
	by := func(e query.Expr) model.Target { return p.line(legend, e.SumBy(query.LabelInstance)) }
	return []model.Panel{
		graph(61, 8, text{"CPU", "Cores in use by instance. Near the limit of the container the collector is throttled and queues grow."},
			model.UnitShort, by(p.scope.Rate(upstream.ProcessCPUSeconds))),
		graph(62, 8, text{"Resident memory", "Memory of the process by instance, files mapped in included. Near the limit it is killed: raise the limit or lower num_traces."},
			model.UnitBytes, by(p.scope.Value(upstream.ProcessMemoryRSS))),
		graph(63, 8, text{"Heap", "Heap objects, dead ones not yet swept included; a saw tooth is healthy. Its lower edge climbing at even load is a leak or too many held traces."},
			model.UnitBytes, by(p.scope.Value(upstream.ProcessHeapAlloc))),
	}
}
