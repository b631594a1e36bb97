package telemetry

// The metrics of the gateway. HTTP names, units and attributes follow OpenTelemetry's HTTP semantic conventions;
// durations are exponential histograms, so that no bucket has to be guessed.
var (
	HTTPServerRequestDuration = Metric{
		Name: "http.server.request.duration", Kind: NativeHistogram, Unit: "s", Stability: Stable, Source: ServiceGateway,
		Description: "Duration of requests that the gateway served, from the first byte read to the last byte written.",
		Attributes:  serverAttributes(),
	}
	HTTPServerActiveRequests = Metric{
		Name: "http.server.active_requests", Kind: UpDownCounter, Unit: "{request}", Stability: Development, Source: ServiceGateway,
		Description: "Requests in flight in the gateway.",
		Attributes:  []Attribute{AttrHTTPRequestMethod, AttrURLScheme},
	}
	HTTPServerRequestBodySize = Metric{
		Name: "http.server.request.body.size", Kind: NativeHistogram, Unit: "By", Stability: Development, Source: ServiceGateway,
		Description: "Size of request bodies as read from the client.",
		Attributes:  serverAttributes(),
	}
	HTTPServerResponseBodySize = Metric{
		Name: "http.server.response.body.size", Kind: NativeHistogram, Unit: "By", Stability: Development, Source: ServiceGateway,
		Description: "Size of response bodies as written to the client.",
		Attributes:  serverAttributes(),
	}
	HTTPClientRequestDuration = Metric{
		Name: "http.client.request.duration", Kind: NativeHistogram, Unit: "s", Stability: Stable, Source: ServiceGateway,
		Description: "Duration of attempts at an upstream endpoint, from picking it to the end of its response body.",
		Attributes: []Attribute{AttrHTTPRequestMethod, AttrHTTPResponseStatusCode, AttrErrorType, AttrServerAddress,
			AttrServerPort, AttrGatewayUpstream, AttrNetworkProtocolVersion},
	}
	HTTPClientActiveRequests = Metric{
		Name: "http.client.active_requests", Kind: UpDownCounter, Unit: "{request}", Stability: Development, Source: ServiceGateway,
		Description: "Attempts in flight at upstream endpoints.",
		Attributes:  []Attribute{AttrServerAddress, AttrServerPort, AttrGatewayUpstream},
	}
	GatewayRequestsRejected = Metric{
		Name: "gateway.requests.rejected", Kind: Counter, Unit: "{request}", Stability: Development, Source: ServiceGateway,
		Description: "Requests that the gateway answered itself, without asking an upstream.",
		Attributes:  []Attribute{AttrGatewayRejectReason},
	}
	GatewayUpstreamEndpoints = Metric{
		Name: "gateway.upstream.endpoints", Kind: Gauge, Unit: "{endpoint}", Stability: Development, Source: ServiceGateway,
		Description: "Endpoints of each upstream by state.",
		Attributes:  []Attribute{AttrGatewayUpstream, AttrGatewayEndpointState},
	}
	GatewayRoutes = Metric{
		Name: "gateway.routes", Kind: Gauge, Unit: "{route}", Stability: Development, Source: ServiceGateway,
		Description: "Routes in the table that is in force.",
	}
	GatewayConfigReloads = Metric{
		Name: "gateway.config.reloads", Kind: Counter, Unit: "{reload}", Stability: Development, Source: ServiceGateway,
		Description: "Attempts to apply a changed configuration.",
		Attributes:  []Attribute{AttrGatewayReloadOutcome},
	}
	GatewayConfigLastReloadSuccessful = Metric{
		Name: "gateway.config.last_reload_successful", Kind: Gauge, Unit: "{state}", Stability: Development, Source: ServiceGateway,
		Description: "1 when the configuration on disk is the one in force, 0 when the last change was refused.",
	}
	GatewayConfigAppliedTime = Metric{
		Name: "gateway.config.applied_time", Kind: Gauge, Unit: "s", Stability: Development, Source: ServiceGateway,
		Description: "Unix time at which the configuration in force was applied.",
	}
	GatewayConnectionsActive = Metric{
		Name: "gateway.connections.active", Kind: UpDownCounter, Unit: "{connection}", Stability: Development, Source: ServiceGateway,
		Description: "Client connections that are open.",
	}
)

func serverAttributes() []Attribute {
	return []Attribute{AttrHTTPRequestMethod, AttrHTTPRoute, AttrHTTPResponseStatusCode, AttrErrorType, AttrURLScheme,
		AttrNetworkProtocolVersion}
}

// Gateway lists the metrics that the gateway records, in the order of the reference page.
func Gateway() []Metric {
	return []Metric{
		HTTPServerRequestDuration, HTTPServerActiveRequests, HTTPServerRequestBodySize, HTTPServerResponseBodySize,
		HTTPClientRequestDuration, HTTPClientActiveRequests, GatewayRequestsRejected, GatewayUpstreamEndpoints,
		GatewayRoutes, GatewayConfigReloads, GatewayConfigLastReloadSuccessful, GatewayConfigAppliedTime,
		GatewayConnectionsActive,
	}
}
