package instruments

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// ServerRequest holds the attributes of a request that the gateway served. Fields left empty or zero are not recorded.
type ServerRequest struct {
	Method    string // one of telemetry.AttrHTTPRequestMethod's values: see Method
	Route     string // path pattern of the route
	Status    int
	ErrorType string
	Scheme    string
	Protocol  string // 1.0, 1.1, 2
}

// ServerActive holds the attributes of requests in flight.
type ServerActive struct {
	Method string
	Scheme string
}

// ClientRequest holds the attributes of one attempt at an upstream endpoint.
type ClientRequest struct {
	Method    string
	Status    int
	ErrorType string
	Upstream  string
	Address   string
	Port      int
	Protocol  string
}

// ClientActive holds the attributes of attempts in flight.
type ClientActive struct {
	Upstream string
	Address  string
	Port     int
}

// GatewayState is what the gateway's gauges show at the moment of collection.
type GatewayState struct {
	Routes                int
	LastReloadSuccessful  bool
	ConfigAppliedUnixTime int64
	Endpoints             []UpstreamEndpoints
}

// UpstreamEndpoints counts one upstream's endpoints by state.
type UpstreamEndpoints struct {
	Upstream           string
	Healthy, Unhealthy int
}

// Gateway records the metrics of telemetry.Gateway.
type Gateway struct {
	serverDuration, clientDuration metric.Float64Histogram
	requestSize, responseSize      metric.Int64Histogram
	serverActive, clientActive     metric.Int64UpDownCounter
	connections                    metric.Int64UpDownCounter
	rejected, reloads              metric.Int64Counter
	registration                   metric.Registration

	serverSets       sets[ServerRequest]
	serverActiveSets sets[ServerActive]
	clientSets       sets[ClientRequest]
	clientActiveSets sets[ClientActive]
	rejectSets       sets[string]
	reloadSets       sets[string]
}

// NewGateway creates the gateway's instruments on meter. state is called once per collection and must not block.
func NewGateway(meter metric.Meter, state func() GatewayState) (*Gateway, error) {
	b := &builder{meter: meter}
	g := &Gateway{
		serverDuration: b.seconds(telemetry.HTTPServerRequestDuration),
		serverActive:   b.upDown(telemetry.HTTPServerActiveRequests),
		requestSize:    b.sizes(telemetry.HTTPServerRequestBodySize),
		responseSize:   b.sizes(telemetry.HTTPServerResponseBodySize),
		clientDuration: b.seconds(telemetry.HTTPClientRequestDuration),
		clientActive:   b.upDown(telemetry.HTTPClientActiveRequests),
		connections:    b.upDown(telemetry.GatewayConnectionsActive),
		rejected:       b.counter(telemetry.GatewayRequestsRejected),
		reloads:        b.counter(telemetry.GatewayConfigReloads),
	}
	if err := g.observeState(b, state); err != nil {
		return nil, err
	}
	return g, nil
}

func (g *Gateway) observeState(b *builder, state func() GatewayState) error {
	routes := b.gauge(telemetry.GatewayRoutes)
	successful := b.gauge(telemetry.GatewayConfigLastReloadSuccessful)
	applied := b.gauge(telemetry.GatewayConfigAppliedTime)
	endpoints := b.gauge(telemetry.GatewayUpstreamEndpoints)
	if err := b.err(); err != nil {
		return err
	}
	var err error
	g.registration, err = b.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := state()
		o.ObserveInt64(routes, int64(s.Routes))
		o.ObserveInt64(applied, s.ConfigAppliedUnixTime)
		ok := int64(0)
		if s.LastReloadSuccessful {
			ok = 1
		}
		o.ObserveInt64(successful, ok)
		for _, u := range s.Endpoints {
			o.ObserveInt64(endpoints, int64(u.Healthy), endpointOption(u.Upstream, telemetry.EndpointHealthy))
			o.ObserveInt64(endpoints, int64(u.Unhealthy), endpointOption(u.Upstream, telemetry.EndpointUnhealthy))
		}
		return nil
	}, routes, successful, applied, endpoints)
	return err
}

// Close stops the observation of the gateway's state.
func (g *Gateway) Close() error { return g.registration.Unregister() }

// ServerRequest records a request that is over: how long it took and the bytes of both bodies. The span in ctx, when it
// is sampled, becomes the exemplar.
func (g *Gateway) ServerRequest(ctx context.Context, r ServerRequest, d time.Duration, requestBytes, responseBytes int64) {
	opt := g.serverSets.option(r, ServerRequest.attributes)
	g.serverDuration.Record(ctx, d.Seconds(), opt)
	g.requestSize.Record(ctx, requestBytes, opt)
	g.responseSize.Record(ctx, responseBytes, opt)
}

// ServerActive adds delta to the requests in flight.
func (g *Gateway) ServerActive(ctx context.Context, a ServerActive, delta int64) {
	g.serverActive.Add(ctx, delta, g.serverActiveSets.option(a, ServerActive.attributes))
}

// ClientRequest records one attempt at an upstream endpoint that is over.
func (g *Gateway) ClientRequest(ctx context.Context, r ClientRequest, d time.Duration) {
	g.clientDuration.Record(ctx, d.Seconds(), g.clientSets.option(r, ClientRequest.attributes))
}

// ClientActive adds delta to the attempts in flight.
func (g *Gateway) ClientActive(ctx context.Context, a ClientActive, delta int64) {
	g.clientActive.Add(ctx, delta, g.clientActiveSets.option(a, ClientActive.attributes))
}

// Rejected counts a request that the gateway answered itself; reason is one of telemetry.RejectReasons.
func (g *Gateway) Rejected(ctx context.Context, reason string) {
	g.rejected.Add(ctx, 1, g.rejectSets.option(reason, func(r string) []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String(telemetry.AttrGatewayRejectReason.Key, r)}
	}))
}

// Reload counts an attempt to apply a changed configuration; outcome is telemetry.ReloadApplied and so on.
func (g *Gateway) Reload(ctx context.Context, outcome string) {
	g.reloads.Add(ctx, 1, g.reloadSets.option(outcome, func(o string) []attribute.KeyValue {
		return []attribute.KeyValue{attribute.String(telemetry.AttrGatewayReloadOutcome.Key, o)}
	}))
}

// Connections adds delta to the open client connections.
func (g *Gateway) Connections(ctx context.Context, delta int64) { g.connections.Add(ctx, delta) }

// Method returns the value of http.request.method for a method as it stood in the request: methods that the contract
// does not know become _OTHER, so that a client cannot make series.
func Method(method string) string {
	if telemetry.AttrHTTPRequestMethod.Allows(method) != nil {
		return "_OTHER"
	}
	return method
}

func (r ServerRequest) attributes() []attribute.KeyValue {
	var a list
	a.str(telemetry.AttrHTTPRequestMethod, r.Method)
	a.str(telemetry.AttrHTTPRoute, r.Route)
	a.int(telemetry.AttrHTTPResponseStatusCode, r.Status)
	a.str(telemetry.AttrErrorType, r.ErrorType)
	a.str(telemetry.AttrURLScheme, r.Scheme)
	a.str(telemetry.AttrNetworkProtocolVersion, r.Protocol)
	return a
}

func (s ServerActive) attributes() []attribute.KeyValue {
	var a list
	a.str(telemetry.AttrHTTPRequestMethod, s.Method)
	a.str(telemetry.AttrURLScheme, s.Scheme)
	return a
}

func (r ClientRequest) attributes() []attribute.KeyValue {
	var a list
	a.str(telemetry.AttrHTTPRequestMethod, r.Method)
	a.int(telemetry.AttrHTTPResponseStatusCode, r.Status)
	a.str(telemetry.AttrErrorType, r.ErrorType)
	a.str(telemetry.AttrGatewayUpstream, r.Upstream)
	a.str(telemetry.AttrServerAddress, r.Address)
	a.int(telemetry.AttrServerPort, r.Port)
	a.str(telemetry.AttrNetworkProtocolVersion, r.Protocol)
	return a
}

func (c ClientActive) attributes() []attribute.KeyValue {
	var a list
	a.str(telemetry.AttrGatewayUpstream, c.Upstream)
	a.str(telemetry.AttrServerAddress, c.Address)
	a.int(telemetry.AttrServerPort, c.Port)
	return a
}

func endpointOption(upstream, state string) metric.MeasurementOption {
	return metric.WithAttributes(
		attribute.String(telemetry.AttrGatewayUpstream.Key, upstream),
		attribute.String(telemetry.AttrGatewayEndpointState.Key, state),
	)
}

// list collects attributes and leaves out those without a value.
type list []attribute.KeyValue

func (l *list) str(a telemetry.Attribute, v string) {
	if v != "" {
		*l = append(*l, attribute.String(a.Key, v))
	}
}

func (l *list) int(a telemetry.Attribute, v int) {
	if v != 0 {
		*l = append(*l, attribute.Int(a.Key, v))
	}
}
