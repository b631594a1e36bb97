package defs

import (
	"github.com/tailgate-otel/tailgate/dashboards/model"
	"github.com/tailgate-otel/tailgate/dashboards/query"
	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/upstream"
)

// Attribute keys of the gateway's metrics.
var (
	keyRoute    = telemetry.AttrHTTPRoute.Key
	keyStatus   = telemetry.AttrHTTPResponseStatusCode.Key
	keyError    = telemetry.AttrErrorType.Key
	keyUpstream = telemetry.AttrGatewayUpstream.Key
	keyState    = telemetry.AttrGatewayEndpointState.Key
	keyReason   = telemetry.AttrGatewayRejectReason.Key
	keyOutcome  = telemetry.AttrGatewayReloadOutcome.Key
)

// fast is the duration within which a request counts as fast: the latency objective of the shipped configuration.
const fast = 0.3 // seconds

// Variables of the gateway's dashboard.
const (
	varRoute    = "route"
	varUpstream = "upstream"
)

// gatewaySheet is the sheet with the selections that all panels of the gateway's dashboard share.
type gatewaySheet struct {
	*sheet
	scope query.Scope
	// requests are those of the chosen routes, attempts those at the chosen upstreams.
	requests, attempts query.Histogram
	// alive is there as long as the gateway is, and stands behind counters that nothing has touched yet.
	alive query.Expr
}

func gateway(s *sheet) model.Dashboard {
	scope := query.NewScope(s.naming)
	g := gatewaySheet{
		sheet: s, scope: scope,
		requests: scope.Histogram(telemetry.HTTPServerRequestDuration, query.In(keyRoute, varRoute)),
		attempts: scope.Histogram(telemetry.HTTPClientRequestDuration, query.In(keyUpstream, varUpstream)),
		alive:    scope.Value(telemetry.GatewayRoutes),
	}
	return model.Dashboard{
		UID: uidGateway, Title: "Gateway / Overview", Tags: []string{"tailgate", "gateway"},
		Description: "Are clients served fast and without errors, and if not: which route, which upstream, why?",
		Variables: append(s.programs(scope, telemetry.GatewayRoutes),
			s.choice(scope, varRoute, "Route", "Matched route. All includes requests that matched none.",
				telemetry.HTTPServerRequestDuration, keyRoute, anything),
			s.choice(scope, varUpstream, "Upstream", "Upstream that routes point to.",
				telemetry.GatewayUpstreamEndpoints, keyUpstream, anything)),
		Links: []model.Link{
			{UID: uidSampling, Title: "Tail sampling", Tooltip: "Which of these requests' traces are kept"},
			{UID: uidPipeline, Title: "Collector / Pipeline", Tooltip: "How this telemetry travels"},
		},
		Rows: []model.Row{
			{ID: 1, Title: "At a glance", Panels: g.glance()},
			{ID: 2, Title: "Requests", Panels: g.traffic()},
			{ID: 3, Title: "Upstreams", Panels: g.upstreams()},
			{ID: 4, Title: "Gateway", Panels: g.gateway()},
			{ID: 5, Title: "Go runtime", Panels: g.runtime()},
		},
	}
}

// errorShare is the share of requests answered with 5xx, per group.
func (g gatewaySheet) errorShare(by ...string) query.Expr {
	failed := g.scope.Histogram(telemetry.HTTPServerRequestDuration, query.In(keyRoute, varRoute), query.Class(keyStatus, 5))
	all := g.requests.Count().SumBy(by...)
	return failed.Count().SumBy(by...).OrZeroOf(all).Over(all)
}

func (g gatewaySheet) glance() []model.Panel {
	endpoints := func(where ...query.Where) query.Expr {
		where = append(where, query.In(keyUpstream, varUpstream))
		return g.scope.Value(telemetry.GatewayUpstreamEndpoints, where...).Sum()
	}
	config := stat(16, text{"Configuration", "Whether the file on disk is the one in force. When refused, the old one still serves: " +
		"read the error on the admin page /config, correct the file, save it."},
		model.UnitNone, model.Steps(model.Bad, model.From(1, model.Good)),
		g.line("configuration", g.scope.Value(telemetry.GatewayConfigLastReloadSuccessful).MinBy()))
	config.Visual = model.Stat{Background: true}
	config.Mappings = []model.Mapping{{Value: "1", Text: "in force", Color: model.Good}, {Value: "0", Text: "refused", Color: model.Bad}}
	return []model.Panel{
		stat(11, text{"Requests", "Requests that the gateway finished, per second. A sudden fall means that clients no longer reach it."},
			model.UnitRequestsPerS, plain(), g.line("requests", g.requests.Count().Sum())),
		stat(12, text{"Error ratio", "Share of requests answered with 5xx. When it is not green, the table of routes says where, the row Upstreams why."},
			model.UnitPercent, failures(), g.line("errors", g.errorShare())),
		stat(13, text{"p99 duration", "99 of 100 requests are faster. Compare with the p99 of the upstreams: the difference is the gateway."},
			model.UnitSeconds, model.Steps(model.Good, model.From(fast, model.Warn), model.From(1, model.Bad)),
			g.line("p99", g.requests.Quantile(0.99))),
		stat(14, text{"In flight", "Requests being served now, of all routes. A steady climb at an even rate means that an upstream hangs."},
			model.UnitShort, plain(), g.line("in flight", g.scope.Value(telemetry.HTTPServerActiveRequests).Sum())),
		ratio(stat(15, text{"Endpoints healthy", "Share of upstream endpoints that may be picked. Below 100 % the panel Endpoints names the upstream."},
			model.UnitPercent, model.Steps(model.Bad, model.From(0.5, model.Warn), model.From(1, model.Good)),
			g.line("healthy", endpoints(query.Is(keyState, telemetry.EndpointHealthy)).Over(endpoints())))),
		config,
	}
}

func (g gatewaySheet) traffic() []model.Panel {
	failed := g.scope.Histogram(telemetry.HTTPServerRequestDuration, query.In(keyRoute, varRoute), query.Present(keyError))
	return []model.Panel{
		stacked(21, 12, text{"Requests by route", "Who carries the load. A route that vanishes lost its clients or its match; see Rejected."},
			model.UnitRequestsPerS, g.line(g.scope.Legend(keyRoute), g.requests.Count().SumBy(keyRoute))),
		stacked(22, 12, text{"Failed requests", "By reason: a status is an upstream's 5xx; connect and reset point at the upstream's process, timeout at its speed, " +
			"client_gone at clients that no longer wait."},
			model.UnitRequestsPerS, g.line(g.scope.Legend(keyError), failed.Count().SumBy(keyError).OrZeroWith(g.alive))),
		limits(graph(23, 12, text{"Duration", "Percentiles of all chosen routes; dots are example requests, a click opens the trace. " +
			"p99 far above p50 means that a few suffer: filter by route."},
			model.UnitSeconds,
			g.line("p50", g.requests.Quantile(0.5)), g.line("p90", g.requests.Quantile(0.9)),
			g.exemplars("p99", g.requests.Quantile(0.99))),
			model.Steps(model.Good, model.From(fast, model.Warn))),
		{ID: 24, Title: "Duration, all requests", Width: 12, Height: graphHeight, Unit: model.UnitSeconds,
			Description: "Each column shows how the requests of a moment spread. Two bands are two kinds of request, for instance cached and not; " +
				"a band that drifts up is a queue filling.",
			Visual: model.Heatmap{LogScale: true}, Thresholds: plain(),
			Targets: withRefs([]model.Target{g.exemplars("", g.requests.Heatmap())})},
		ratio(limits(graph(25, 12, text{"Within 300 ms", "Share of requests of each route that finished within 300 ms. Below the line users notice."},
			model.UnitPercent, g.line(g.scope.Legend(keyRoute), g.requests.Fraction(0, fast, keyRoute))),
			model.Steps(model.Bad, model.From(0.95, model.Good)))),
		g.clientErrors(),
		g.routes(),
	}
}

func (g gatewaySheet) clientErrors() model.Panel {
	refused := g.scope.Histogram(telemetry.HTTPServerRequestDuration, query.In(keyRoute, varRoute), query.Class(keyStatus, 4))
	return stacked(26, 12, text{"Client errors", "4xx answers by status. A jump after a deployment of a client or a route is usually a wrong path (404) or lost credentials (401, 403)."},
		model.UnitRequestsPerS, g.line(g.scope.Legend(keyStatus), refused.Count().SumBy(keyStatus).OrZeroWith(g.alive)))
}

// routes is the table from which one goes on to a single route.
func (g gatewaySheet) routes() model.Panel {
	// Requests that matched no route have no name to show or to click on; "Rejected" counts them.
	g.requests = g.scope.Histogram(telemetry.HTTPServerRequestDuration, query.In(keyRoute, varRoute), query.Present(keyRoute))
	narrow := &model.DataLink{UID: uidGateway, Title: "Show this route alone",
		Variables: []string{model.DatasourceVariable, query.LabelJob, query.LabelInstance},
		Set:       map[string]string{varRoute: "Route"}}
	return model.Panel{
		ID: 27, Title: "Routes", Width: 24, Height: 9, Unit: model.UnitNone, Thresholds: plain(),
		Description: "All routes, the most failing first. A click on a route narrows the whole page to it.",
		Targets: withRefs([]model.Target{
			g.cell(g.requests.Count().SumBy(keyRoute)), g.cell(g.errorShare(keyRoute)),
			g.cell(g.requests.Quantile(0.5, keyRoute)), g.cell(g.requests.Quantile(0.99, keyRoute)),
			g.cell(g.requests.Fraction(0, fast, keyRoute)),
		}),
		Visual: model.Table{SortBy: "Errors", SortDesc: true, Columns: []model.Column{
			{Label: g.scope.Label(keyRoute), Title: "Route", Link: narrow, Width: 360},
			{Ref: "A", Title: "Requests", Unit: model.UnitRequestsPerS},
			{Ref: "B", Title: "Errors", Unit: model.UnitPercent, Decimals: model.Ptr(2), Thresholds: failures()},
			{Ref: "C", Title: "p50", Unit: model.UnitSeconds},
			{Ref: "D", Title: "p99", Unit: model.UnitSeconds,
				Thresholds: model.Steps(model.Good, model.From(fast, model.Warn), model.From(1, model.Bad))},
			{Ref: "E", Title: "Within 300 ms", Unit: model.UnitPercent, Decimals: model.Ptr(2),
				Thresholds: model.Steps(model.Bad, model.From(0.95, model.Good))},
		}},
	}
}

func (g gatewaySheet) upstreams() []model.Panel {
	failed := g.scope.Histogram(telemetry.HTTPClientRequestDuration, query.In(keyUpstream, varUpstream), query.Present(keyError))
	at := query.In(keyUpstream, varUpstream)
	return []model.Panel{
		stacked(31, 8, text{"Attempts by upstream", "Attempts per second. More attempts than requests are retries: look at Failed attempts."},
			model.UnitRequestsPerS, g.line(g.scope.Legend(keyUpstream), g.attempts.Count().SumBy(keyUpstream))),
		graph(32, 8, text{"p99 by upstream", "The slowest hundredth of attempts; dots open a trace. The line that rises first is the cause, the others wait for it."},
			model.UnitSeconds, g.exemplars(g.scope.Legend(keyUpstream), g.attempts.Quantile(0.99, keyUpstream))),
		stacked(33, 8, text{"Failed attempts", "By upstream and reason. A status is the upstream's own answer; connect, reset and timeout never got one."},
			model.UnitRequestsPerS, g.line(g.scope.Legend(keyUpstream, keyError), failed.Count().SumBy(keyUpstream, keyError).OrZeroWith(g.alive))),
		graph(34, 12, text{"Endpoints", "Endpoints by upstream and state. One that stays unhealthy refuses connections: look at its process; " +
			"with none healthy the gateway answers 503 itself."},
			model.UnitShort, g.line(g.scope.Legend(keyUpstream, keyState),
				g.scope.Value(telemetry.GatewayUpstreamEndpoints, at).SumBy(keyUpstream, keyState))),
		stacked(35, 12, text{"Attempts in flight", "Attempts waiting for an upstream now. A pile at one upstream while the others are flat means that it hangs."},
			model.UnitShort, g.line(g.scope.Legend(keyUpstream), g.scope.Value(telemetry.HTTPClientActiveRequests, at).SumBy(keyUpstream))),
	}
}

func (g gatewaySheet) gateway() []model.Panel {
	sizes := func(m telemetry.Metric) query.Histogram { return g.scope.Histogram(m, query.In(keyRoute, varRoute)) }
	in, out := sizes(telemetry.HTTPServerRequestBodySize), sizes(telemetry.HTTPServerResponseBodySize)
	applied := stat(45, text{"Config age", "Time since an instance last applied a configuration. Older than your change: it did not arrive or was refused."},
		model.UnitSeconds, plain(), g.line("age", g.scope.Value(telemetry.GatewayConfigAppliedTime).MaxBy().Age()))
	applied.Visual = model.Stat{}
	routes := stat(46, text{"Routes", "Routes in the table in force. Fewer than the file has means that it was not applied everywhere."},
		model.UnitShort, plain(), g.line("routes", g.scope.Value(telemetry.GatewayRoutes).MinBy()))
	applied.Height, routes.Height = graphHeight, graphHeight
	return []model.Panel{
		stacked(41, 8, text{"Rejected", "Requests the gateway answered itself, by reason. no_route: a client or route is wrong; no_endpoint: an upstream is down; " +
			"draining: normal during a restart."},
			model.UnitRequestsPerS, g.line(g.scope.Legend(keyReason), g.scope.Rate(telemetry.GatewayRequestsRejected).SumBy(keyReason).OrZeroWith(g.alive))),
		graph(42, 8, text{"Body bytes", "Bytes of bodies per second, in both directions. Growth without more requests is larger bodies: see Body size."},
			model.UnitBytesPerSec, g.line("request", in.Total().Sum()), g.line("response", out.Total().Sum())),
		graph(43, 8, text{"Body size, p99", "99 of 100 bodies are smaller. Near the limit of the configuration clients are about to see 413."},
			model.UnitBytes, g.line("request", in.Quantile(0.99)), g.line("response", out.Quantile(0.99))),
		graph(44, 8, text{"Client connections", "Open connections of clients by instance. Uneven instances mean that the balancer in front pins clients."},
			model.UnitShort, g.line("{{instance}}", g.scope.Value(telemetry.GatewayConnectionsActive).SumBy(query.LabelInstance))),
		applied, routes,
		stacked(47, 8, text{"Reloads", "Attempts to apply a changed configuration, by outcome. After a refused one the old configuration serves on."},
			model.UnitShort, g.line(g.scope.Legend(keyOutcome), g.scope.Increase(telemetry.GatewayConfigReloads).SumBy(keyOutcome).OrZeroWith(g.alive))),
	}
}

func (g gatewaySheet) runtime() []model.Panel {
	const keyType = "go.memory.type"
	return []model.Panel{
		stacked(51, 8, text{"Memory", "Memory of the Go runtime by use. A steady climb over hours at an even load is a leak: take a heap profile from the admin page."},
			model.UnitBytes, g.line(g.scope.Legend(keyType), g.scope.Value(upstream.GoMemoryUsed).SumBy(keyType))),
		graph(52, 8, text{"Allocated", "Bytes allocated per second by instance. It drives the garbage collector, and so CPU."},
			model.UnitBytesPerSec, g.line("{{instance}}", g.scope.Rate(upstream.GoMemoryAllocated).SumBy(query.LabelInstance))),
		graph(53, 8, text{"Goroutines", "Goroutines by instance: a few per connection and request. A climb that does not come back is requests that never end."},
			model.UnitShort, g.line("{{instance}}", g.scope.Value(upstream.GoGoroutineCount).SumBy(query.LabelInstance))),
	}
}
