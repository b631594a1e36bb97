package rules

import (
	"time"

	"github.com/tailgate-otel/tailgate/dashboards/query"
	"github.com/tailgate-otel/tailgate/telemetry"
)

// What a route must do for anybody to be woken. A share is taken of at least a request every ten seconds: of three
// requests in five minutes one that fails says nothing. A tenth of failures and a p99 of three seconds are what users
// complain about; slower burning is the business of the objectives.
const (
	routeFloor       = 0.1 // requests/s
	routeFailing     = 0.1 // share of 5xx
	routeSlowSeconds = 3   // p99
)

func (s sheet) gateway() []Group {
	traffic := s.routeTraffic()
	return []Group{
		{Name: "tailgate-gateway-routes", Interval: often, Records: []Record{traffic.requests, traffic.failing},
			Alerts: []Alert{traffic.fails(), s.routeSlow(traffic)}},
		{Name: "tailgate-gateway", Interval: often, Alerts: []Alert{s.noEndpoint(), s.fewEndpoints(), s.configRefused()}},
	}
}

// routeTraffic is what is recorded of each route, for alerts and for whoever draws all routes at once.
type routeTraffic struct{ requests, failing Record }

var keyRoute = telemetry.AttrHTTPRoute.Key

func (s sheet) routeTraffic() routeTraffic {
	by := []string{query.LabelJob, keyRoute}
	requests := Record{Name: "job_route:gateway_requests:rate5m", Expr: per(short, s.requests().Count().SumBy(by...)).of(s.aGateway())}
	failed := per(short, s.requests(isServerError).Count().SumBy(by...))
	return routeTraffic{
		requests: requests,
		failing: Record{Name: "job_route:gateway_requests_failed:ratio_rate5m",
			Expr: failed.orZeroOf(requests.value()).over(requests.value())},
	}
}

var isServerError = query.Class(telemetry.AttrHTTPResponseStatusCode.Key, 5)

// requests is the histogram of requests served. Its name is a convention that any instrumented program follows, so what
// is said of gateways has to be narrowed to programs that have a table of routes.
func (s sheet) requests(where ...query.Where) query.Histogram {
	return s.scope.Histogram(telemetry.HTTPServerRequestDuration, where...)
}

func (s sheet) aGateway() formula { return now(s.scope.Value(telemetry.GatewayRoutes)) }

// lookAtRoute narrows the gateway's dashboard to one route.
var lookAtRoute = Look{UID: gatewayDashboard, Set: map[string]string{"job": "job", "route": "http_route"}}

func (t routeTraffic) fails() Alert {
	return Alert{
		Name: "TailgateGatewayRouteFailing", Severity: Critical, For: 5 * time.Minute,
		When:    t.failing.value().above(routeFailing).and(t.requests.value().above(routeFloor)),
		Summary: `{{ $value | humanizePercentage }} of the requests to {{ $labels.http_route }} fail`,
		Description: `Gateway {{ $labels.job }} answers {{ $value | humanizePercentage }} of the requests to {{ $labels.http_route }} with 5xx. ` +
			`The panel "Failed requests" has the reason, the row Upstreams who it is.`,
		Look: lookAtRoute,
	}
}

func (s sheet) routeSlow(t routeTraffic) Alert {
	p99 := s.requests().Quantile(0.99, query.LabelJob, keyRoute)
	return Alert{
		Name: "TailgateGatewayRouteSlow", Severity: Warning, For: 10 * time.Minute,
		When:    per(short, p99).above(routeSlowSeconds).and(t.requests.value().above(routeFloor)),
		Summary: `One request in a hundred to {{ $labels.http_route }} takes longer than {{ $value | humanizeDuration }}`,
		Description: `The p99 of {{ $labels.http_route }} on gateway {{ $labels.job }} has been above three seconds for ten minutes. Compare it ` +
			`with the p99 of the upstream: the difference is the gateway.`,
		Look: lookAtRoute,
	}
}

// healthy is the endpoints that may be picked, by upstream; all is how many there are.
func (s sheet) endpoints() (healthy, all query.Expr) {
	by := ofEach(telemetry.AttrGatewayUpstream.Key)
	all = s.scope.Value(telemetry.GatewayUpstreamEndpoints).SumBy(by...)
	isHealthy := query.Is(telemetry.AttrGatewayEndpointState.Key, telemetry.EndpointHealthy)
	return s.scope.Value(telemetry.GatewayUpstreamEndpoints, isHealthy).SumBy(by...).OrZeroOf(all), all
}

// lookAtUpstream narrows the gateway's dashboard to one upstream of one gateway.
var lookAtUpstream = Look{UID: gatewayDashboard,
	Set: map[string]string{"job": "job", "instance": "instance", "upstream": "gateway_upstream"}}

func (s sheet) noEndpoint() Alert {
	healthy, all := s.endpoints()
	return Alert{
		Name: "TailgateGatewayUpstreamDown", Severity: Critical, For: time.Minute,
		When:    now(healthy).below(1).and(now(all).above(0)),
		Summary: `Upstream {{ $labels.gateway_upstream }} has no healthy endpoint`,
		Description: `Gateway {{ $labels.instance }} finds no endpoint of {{ $labels.gateway_upstream }} that it may ask, and answers every ` +
			`request to its routes with an error.`,
		Look: lookAtUpstream,
	}
}

func (s sheet) fewEndpoints() Alert {
	healthy, all := s.endpoints()
	return Alert{
		Name: "TailgateGatewayEndpointsDown", Severity: Warning, For: 10 * time.Minute,
		When:    now(healthy.Over(all)).below(0.6).and(now(healthy).above(0)),
		Summary: `Only {{ $value | humanizePercentage }} of the endpoints of {{ $labels.gateway_upstream }} are healthy`,
		Description: `Gateway {{ $labels.instance }} asks only {{ $value | humanizePercentage }} of the endpoints of {{ $labels.gateway_upstream }}; ` +
			`they carry the load of all.`,
		Look: lookAtUpstream,
	}
}

func (s sheet) configRefused() Alert {
	return Alert{
		Name: "TailgateGatewayConfigRefused", Severity: Warning, For: 5 * time.Minute,
		When:    now(s.scope.Value(telemetry.GatewayConfigLastReloadSuccessful).MinBy(ofEach()...)).below(1),
		Summary: `Gateway {{ $labels.instance }} has refused its configuration`,
		Description: `The file on disk of {{ $labels.instance }} is not the one in force. The old one still serves; at the next restart there ` +
			`is none. The admin page /config has the error.`,
		Look: ofProgram(gatewayDashboard),
	}
}
