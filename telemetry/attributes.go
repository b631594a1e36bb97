package telemetry

// Attributes that several metrics share. Keys with a prefix of their own (http., server., error.) are OpenTelemetry's
// semantic conventions 1.37; gateway.* are ours.
var (
	AttrHTTPRequestMethod = Attribute{
		Key:    "http.request.method",
		Brief:  "HTTP request method; a method outside the known set is _OTHER.",
		Values: []string{"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE", "_OTHER"},
	}
	AttrHTTPRoute = Attribute{
		Key:   "http.route",
		Brief: "Path pattern of the matched route. Absent when no route matched.",
		Bound: "the routes of the gateway's configuration",
	}
	AttrHTTPResponseStatusCode = Attribute{
		Key:   "http.response.status_code",
		Brief: "HTTP status code. Absent when no response was sent or received.",
		Min:   100, Max: 599,
	}
	AttrErrorType = Attribute{
		Key: "error.type",
		Brief: "Why the request failed: the status code for a 5xx answer, else one word of the list. " +
			"Absent when it did not fail.",
		Values: append(statusValues(500, 599), ErrorTypes()...),
	}
	AttrURLScheme = Attribute{
		Key:    "url.scheme",
		Brief:  "Scheme the client used.",
		Values: []string{"http", "https"},
	}
	AttrNetworkProtocolVersion = Attribute{
		Key:    "network.protocol.version",
		Brief:  "HTTP version.",
		Values: []string{"1.0", "1.1", "2", "3"},
	}
	AttrServerAddress = Attribute{
		Key:   "server.address",
		Brief: "Host name or address of the upstream endpoint.",
		Bound: "the endpoints of the gateway's configuration",
	}
	AttrServerPort = Attribute{
		Key:   "server.port",
		Brief: "Port of the upstream endpoint.",
		Min:   1, Max: 65535,
	}
	AttrGatewayUpstream = Attribute{
		Key:   "gateway.upstream",
		Brief: "Name of the upstream that the route points to.",
		Bound: "the upstreams of the gateway's configuration",
	}
	AttrGatewayEndpointState = Attribute{
		Key:    "gateway.endpoint.state",
		Brief:  "Whether the endpoint may be picked.",
		Values: []string{EndpointHealthy, EndpointUnhealthy},
	}
	AttrGatewayRejectReason = Attribute{
		Key:    "gateway.reject.reason",
		Brief:  "Why the gateway answered itself instead of asking an upstream.",
		Values: RejectReasons(),
	}
	AttrGatewayReloadOutcome = Attribute{
		Key:    "gateway.reload.outcome",
		Brief:  "Whether the new configuration was applied; after a failure the old one stays in force.",
		Values: []string{ReloadApplied, ReloadRefused, ReloadUnchanged},
	}
)

// Values of gateway.endpoint.state.
const (
	EndpointHealthy   = "healthy"
	EndpointUnhealthy = "unhealthy"
)

// Values of gateway.reload.outcome.
const (
	ReloadApplied   = "applied"
	ReloadRefused   = "refused"
	ReloadUnchanged = "unchanged"
)

// Values of error.type for failures that have no status code of an upstream.
const (
	ErrorConnect    = "connect"     // no connection to the endpoint: refused, unreachable, DNS, TLS
	ErrorReset      = "reset"       // connection broke before or in the response
	ErrorTimeout    = "timeout"     // a deadline passed
	ErrorClientGone = "client_gone" // the client went away
	ErrorProtocol   = "protocol"    // the upstream's answer was not HTTP
	ErrorOther      = "_OTHER"
)

// ErrorTypes lists the words that error.type may hold beside status codes.
func ErrorTypes() []string {
	return []string{ErrorConnect, ErrorReset, ErrorTimeout, ErrorClientGone, ErrorProtocol, ErrorOther}
}

// Values of gateway.reject.reason.
const (
	RejectNoRoute    = "no_route"
	RejectBodyLimit  = "body_too_large"
	RejectBadRequest = "bad_request"
	RejectLoop       = "loop" // the request came back to the gateway too often
	RejectDraining   = "draining"
	RejectNoEndpoint = "no_endpoint" // the upstream has no healthy endpoint
)

// RejectReasons lists the closed set of gateway.reject.reason.
func RejectReasons() []string {
	return []string{RejectNoRoute, RejectBodyLimit, RejectBadRequest, RejectLoop, RejectDraining, RejectNoEndpoint}
}

func statusValues(from, to int) []string {
	out := make([]string, 0, to-from+1)
	for code := from; code <= to; code++ {
		out = append(out, string([]byte{byte('0' + code/100), byte('0' + code/10%10), byte('0' + code%10)}))
	}
	return out
}
