// Package httpcells has the contract's metrics of requests and attempts as cells: what package instruments records through
// the SDK, for the request path, at a tenth of the cost.
//
// It takes the attribute structs of package instruments as keys and yields the same data points (TestLikeTheInstruments).
// The gauges of the gateway's state and the counter of reloads stay with the SDK, as does all that is rare. An SDK
// instrument that nothing is recorded into exports nothing, so both may be made side by side.
//
// There are no goroutines; memory is bounded by cell.DefaultLimit combinations for each group of metrics.
package httpcells

import (
	"time"

	"go.opentelemetry.io/otel/attribute"

	"github.com/tailgate-otel/tailgate/gateway/telemetry/cell"
	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/instruments"
)

// Cells record requests. All methods are safe for concurrent use and allocate nothing for attributes seen before.
type Cells struct {
	servers       *cell.Table[instruments.ServerRequest, server]
	serversActive *cell.Table[instruments.ServerActive, cell.Sum]
	clients       *cell.Table[instruments.ClientRequest, cell.Histogram[time.Duration]]
	clientsActive *cell.Table[instruments.ClientActive, cell.Sum]
	rejected      *cell.Table[string, cell.Sum]
	connections   *cell.Sums
}

// server is what is measured of a request that is over.
type server struct {
	duration       *cell.Histogram[time.Duration]
	received, sent *cell.Histogram[int64]
}

// New makes the instruments on r.
func New(r *cell.Registry) *Cells {
	duration := r.Durations(telemetry.HTTPServerRequestDuration)
	received, sent := r.Sizes(telemetry.HTTPServerRequestBodySize), r.Sizes(telemetry.HTTPServerResponseBodySize)
	return &Cells{
		servers: cell.NewTable(0, serverRequest, func(s attribute.Set) *server {
			return &server{duration.Cell(s), received.Cell(s), sent.Cell(s)}
		}),
		serversActive: cell.NewTable(0, serverActive, r.Sums(telemetry.HTTPServerActiveRequests).Cell),
		clients:       cell.NewTable(0, clientRequest, r.Durations(telemetry.HTTPClientRequestDuration).Cell),
		clientsActive: cell.NewTable(0, clientActive, r.Sums(telemetry.HTTPClientActiveRequests).Cell),
		rejected:      cell.NewTable(0, reject, r.Sums(telemetry.GatewayRequestsRejected).Cell),
		connections:   r.Sums(telemetry.GatewayConnectionsActive),
	}
}

// ServerRequest records a request that is over: how long it took and the bytes of both bodies. ex is nil if its span is not
// sampled.
func (c *Cells) ServerRequest(r instruments.ServerRequest, d time.Duration, received, sent int64, ex *cell.Exemplar) {
	s := c.servers.Get(r)
	s.duration.Record(d, ex)
	s.received.Record(received, ex)
	s.sent.Record(sent, ex)
}

// ServerActive returns the count of requests in flight, to be added to at the beginning of one and taken from at its end.
func (c *Cells) ServerActive(a instruments.ServerActive) *cell.Sum { return c.serversActive.Get(a) }

// ClientRequest records an attempt at an upstream endpoint that is over.
func (c *Cells) ClientRequest(r instruments.ClientRequest, d time.Duration, ex *cell.Exemplar) {
	c.clients.Get(r).Record(d, ex)
}

// ClientActive returns the count of attempts in flight. An endpoint may keep it.
func (c *Cells) ClientActive(a instruments.ClientActive) *cell.Sum { return c.clientsActive.Get(a) }

// Rejected counts a request that the gateway answered itself; reason is one of telemetry.RejectReasons.
func (c *Cells) Rejected(reason string) { c.rejected.Get(reason).Add(1) }

// Connections returns the count of open client connections. A listener may keep it.
func (c *Cells) Connections() *cell.Sum { return c.connections.Cell(*attribute.EmptySet()) }

func serverRequest(r instruments.ServerRequest) []attribute.KeyValue {
	return list{}.
		str(telemetry.AttrHTTPRequestMethod, r.Method).
		str(telemetry.AttrHTTPRoute, r.Route).
		num(telemetry.AttrHTTPResponseStatusCode, r.Status).
		str(telemetry.AttrErrorType, r.ErrorType).
		str(telemetry.AttrURLScheme, r.Scheme).
		str(telemetry.AttrNetworkProtocolVersion, r.Protocol)
}

func serverActive(a instruments.ServerActive) []attribute.KeyValue {
	return list{}.str(telemetry.AttrHTTPRequestMethod, a.Method).str(telemetry.AttrURLScheme, a.Scheme)
}

func clientRequest(r instruments.ClientRequest) []attribute.KeyValue {
	return list{}.
		str(telemetry.AttrHTTPRequestMethod, r.Method).
		num(telemetry.AttrHTTPResponseStatusCode, r.Status).
		str(telemetry.AttrErrorType, r.ErrorType).
		str(telemetry.AttrGatewayUpstream, r.Upstream).
		str(telemetry.AttrServerAddress, r.Address).
		num(telemetry.AttrServerPort, r.Port).
		str(telemetry.AttrNetworkProtocolVersion, r.Protocol)
}

func clientActive(a instruments.ClientActive) []attribute.KeyValue {
	return list{}.str(telemetry.AttrGatewayUpstream, a.Upstream).str(telemetry.AttrServerAddress, a.Address).num(telemetry.AttrServerPort, a.Port)
}

func reject(reason string) []attribute.KeyValue {
	return list{}.str(telemetry.AttrGatewayRejectReason, reason)
}

// list collects attributes and leaves out those without a value.
type list []attribute.KeyValue

func (l list) str(a telemetry.Attribute, v string) list {
	if v == "" {
		return l
	}
	return append(l, attribute.String(a.Key, v))
}

func (l list) num(a telemetry.Attribute, v int) list {
	if v == 0 {
		return l
	}
	return append(l, attribute.Int(a.Key, v))
}
