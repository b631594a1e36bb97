// Package config is what an operator writes for the gateway: the types of gateway.yaml, their defaults and their checks.
//
// It holds data and pure functions; it watches nothing and builds nothing (see gateway/reload and gateway/proxy). Load
// reports everything that is wrong with a file at once, each message with the line and the path of the key.
package config

import (
	"log/slog"
	"net/http"
	"time"
)

// Config is one gateway.yaml. Listen, Admin, TLS, Telemetry and the limits and timeouts of the listener take effect at
// start; everything else follows a change of the file at once (RestartKeys names the difference).
type Config struct {
	// Listen is the address for clients, HTTP/1.1 and HTTP/2 without TLS. Default 127.0.0.1:8080: nothing is reachable
	// from outside unless someone says so.
	Listen string `yaml:"listen"`
	// Admin is the address of the operator's pages. Default 127.0.0.1:9901. They show the configuration and profiles.
	Admin string `yaml:"admin"`
	// TLS opens a second listener, HTTP/1.1 and HTTP/2 by ALPN. Default: none.
	TLS *TLS `yaml:"tls"`
	// Frontend is what speaks HTTP/1.1 with clients: own, which parks idle connections at a fifteenth of the memory and
	// costs two thirds of the processor time, or nethttp, Go's server. HTTP/2 is Go's either way. Default own.
	Frontend Frontend `yaml:"frontend"`
	// TrustForwarded passes X-Forwarded-* of the client on and appends to them. Default false: they are replaced,
	// because at the edge anyone can write them.
	TrustForwarded bool `yaml:"trust_forwarded"`
	// TenantHeader is the request header that says whose a request is, for match.tenants and {tenant}. Default: none.
	// Anyone can write a header, so name one that something in front of the gateway sets.
	TenantHeader string              `yaml:"tenant_header"`
	Telemetry    Telemetry           `yaml:"telemetry"`
	Limits       Limits              `yaml:"limits"`
	Timeouts     Timeouts            `yaml:"timeouts"`
	Upstreams    map[string]Upstream `yaml:"upstreams"`
	Routes       []Route             `yaml:"routes"`
}

// Frontend is an implementation of HTTP/1.1.
type Frontend string

// The implementations.
const (
	FrontendOwn     Frontend = "own"
	FrontendNetHTTP Frontend = "nethttp"
)

// TLS is the listener for encrypted connections.
type TLS struct {
	Listen   string `yaml:"listen"`
	CertFile string `yaml:"cert_file"`
	KeyFile  string `yaml:"key_file"`
	// MinVersion is "1.3" (default) or "1.2".
	MinVersion string `yaml:"min_version"`
}

// Telemetry says where traces, metrics and logs go. The standard OTEL_* environment variables win over it.
type Telemetry struct {
	// Endpoint is the base URL for OTLP/HTTP; /v1/traces and so on are appended. Default http://127.0.0.1:4318; empty
	// turns export off.
	Endpoint string `yaml:"endpoint"`
	// TrustInboundTrace says what to do with a client's traceparent: continue (default) its trace, link to it from a
	// trace of our own, or ignore it and its baggage.
	TrustInboundTrace Trust `yaml:"trust_inbound_trace"`
	// LogLevel is the least level on standard error. Default info.
	LogLevel Level `yaml:"log_level"`
	// ExportLogLevel is the least level sent over OTLP. Default info.
	ExportLogLevel Level `yaml:"export_log_level"`
	// AccessLogLevel is the level of the line that each request writes. Default debug, so that it shows only when asked
	// for. Requests that failed write at warn.
	AccessLogLevel Level `yaml:"access_log_level"`
}

// Trust is a policy for inbound trace context.
type Trust string

// The policies.
const (
	TrustContinue Trust = "continue"
	TrustLink     Trust = "link"
	TrustIgnore   Trust = "ignore"
)

// Limits bounds what clients may make the gateway hold.
type Limits struct {
	// MaxBody is the largest request body. Default 16MiB. Bodies are streamed, so this bounds work, not memory. A larger
	// one is answered with 413. 0 means no limit.
	MaxBody Size `yaml:"max_body"`
	// MaxHeader is the largest request header. Default 64KiB: cookies and tokens fit, and 8192 connections cannot hold
	// more than 512 MiB of headers. A larger one is answered with 431.
	MaxHeader Size `yaml:"max_header"`
	// MaxConnections is how many client connections may be open on each listener. Default 8192: each request in flight
	// takes a second descriptor for the upstream, and 20,000 is a common hard limit. Further ones wait in the kernel's queue.
	MaxConnections int `yaml:"max_connections"`
	// MaxHops is how often a request may pass through gateways of this kind before it is answered with 508. Default 8.
	MaxHops int `yaml:"max_hops"`
}

// Timeouts bounds waiting. Where 0 is allowed it means for ever.
type Timeouts struct {
	// ReadHeader is the time from the first byte of a request to the end of its header. Default 10s.
	ReadHeader time.Duration `yaml:"read_header"`
	// Read is how long a client may pause within a request body. Default 60s. Each byte read starts it anew, so a long
	// upload lives as long as it makes progress.
	Read time.Duration `yaml:"read"`
	// Write is how long a client may refuse to take a piece of the response. Default 60s, started anew by each write.
	Write time.Duration `yaml:"write"`
	// Idle is how long a kept-alive client connection waits for its next request. Default 60s.
	Idle time.Duration `yaml:"idle"`
	// Connect is the time for a connection to an upstream endpoint, TLS included. Default 2s.
	Connect time.Duration `yaml:"upstream_connect"`
	// UpstreamHeader is the time from the end of a request to the header of its response. Default 30s.
	UpstreamHeader time.Duration `yaml:"upstream_response_header"`
	// UpstreamIdle is how long an unused connection to an upstream is kept. Default 30s: less than the 60-75 s after which
	// common servers close theirs, so that a request seldom meets a connection that is just being closed.
	UpstreamIdle time.Duration `yaml:"upstream_idle"`
	// Request is the time for a whole exchange, all attempts and the response body included. Default 60s; 0 for none. A
	// route may have its own. A protocol upgrade ends it.
	Request time.Duration `yaml:"request"`
	// DrainDelay is how long the gateway goes on accepting after /ready turned to 503, so that load balancers notice.
	// Default 0s; in Kubernetes 5s is a good value.
	DrainDelay time.Duration `yaml:"drain_delay"`
	// Drain is how long requests in flight may take to end after that. Default 10s; what is left then is cut off.
	Drain time.Duration `yaml:"drain"`
}

// Protocol is what the gateway speaks to an upstream.
type Protocol string

// The protocols.
const (
	HTTP1 Protocol = "http1" // HTTP/1.1, with TLS for https endpoints
	H2C   Protocol = "h2c"   // HTTP/2 without TLS, by prior knowledge
	HTTP2 Protocol = "http2" // HTTP/2 over TLS
)

// Balance is how an endpoint is picked.
type Balance string

// The ways to balance.
const (
	RoundRobin  Balance = "round_robin"
	LeastLoaded Balance = "least_loaded"
)

// Upstream is a set of interchangeable endpoints.
type Upstream struct {
	// Endpoints are base URLs: scheme, host, port; no path.
	Endpoints []string `yaml:"endpoints"`
	// Protocol is http1 (default), h2c or http2.
	Protocol Protocol `yaml:"protocol"`
	// Balance is round_robin (default) or least_loaded: the endpoint with the fewest requests in flight.
	Balance Balance `yaml:"balance"`
	// Attempts is how many endpoints a request may be tried on, the first included. Default 2. A further one is tried
	// when no connection could be made, or when a request that is safe to repeat broke before any byte of a response.
	Attempts int `yaml:"attempts"`
	// Cooldown is how long an endpoint that accepts no connection is skipped; then one request tries it again. Default
	// 1s: a restart is noticed within a second, and a dead endpoint costs one attempt per second.
	Cooldown time.Duration `yaml:"cooldown"`
	// MaxIdleConnections is how many unused connections are kept per endpoint. Default 256.
	MaxIdleConnections int `yaml:"max_idle_connections"`
	// Host is what the endpoint sees as Host: client (default), what the client sent, or endpoint, the name in the URL.
	Host HostHeader `yaml:"host"`
	// TLS is for https endpoints.
	TLS UpstreamTLS `yaml:"tls"`
}

// HostHeader says which Host an upstream sees.
type HostHeader string

// The choices.
const (
	HostOfClient   HostHeader = "client"
	HostOfEndpoint HostHeader = "endpoint"
)

// UpstreamTLS says how endpoints prove who they are.
type UpstreamTLS struct {
	CAFile     string `yaml:"ca_file"`     // PEM; default: the system's roots
	ServerName string `yaml:"server_name"` // default: the host of the endpoint
}

// Route sends the requests that it matches to an upstream, or elsewhere.
type Route struct {
	Name  string `yaml:"name"`
	Match Match  `yaml:"match"`
	// Upstream takes all requests. Exactly one of Upstream, Split and Redirect is given.
	Upstream string `yaml:"upstream"`
	// Split divides the requests among upstreams by weight, as for a canary.
	Split []Share `yaml:"split"`
	// Sticky keeps requests of a split together that have the same key: header:NAME, cookie:NAME, query:NAME, tenant or
	// client_ip. Default: each request is on its own, and so is one without the key.
	Sticky string `yaml:"sticky"`
	// Redirect answers in place of an upstream, with the path that Rewrite or StripPrefix make.
	Redirect *Redirect `yaml:"redirect"`
	// Timeout replaces timeouts.request for this route.
	Timeout *time.Duration `yaml:"timeout"`
	// MaxBody replaces limits.max_body for this route.
	MaxBody *Size `yaml:"max_body"`
	// StripPrefix is cut off the path before it goes upstream.
	StripPrefix string `yaml:"strip_prefix"`
	// ReplacePrefix takes the place of StripPrefix.
	ReplacePrefix string `yaml:"replace_prefix"`
	// Rewrite is the path that goes upstream; {name} stands for a wildcard of match.path.
	Rewrite string `yaml:"rewrite"`
	// RewriteHost is the Host that the upstream sees.
	RewriteHost string `yaml:"rewrite_host"`
	// LiteralPaths says that the upstream takes paths as they stand: %2F is no slash to it, // not /, ;v=1 part of a name.
	// Default false: a path that could lead to another route when it is read otherwise is answered with 400.
	LiteralPaths bool `yaml:"literal_paths"`
	// RequestHeaders and ResponseHeaders edit what goes upstream, and what comes back or is a redirect.
	RequestHeaders  HeaderEdits `yaml:"request_headers"`
	ResponseHeaders HeaderEdits `yaml:"response_headers"`
}

// Share is the part of a split that goes to one upstream.
type Share struct {
	Upstream string `yaml:"upstream"`
	Weight   int    `yaml:"weight"` // its part of the sum of all weights
}

// Redirect sends the client elsewhere.
type Redirect struct {
	// Status is 301, 302, 307 (default: browsers do not remember it, and the method stays) or 308.
	Status int `yaml:"status"`
	// Scheme, Host and Port replace those of the request. Default: they stay; with a new scheme, its standard port.
	Scheme string `yaml:"scheme"`
	Host   string `yaml:"host"`
	Port   int    `yaml:"port"`
	// DropQuery leaves out the query. Default false.
	DropQuery bool `yaml:"drop_query"`
}

// HeaderEdits are done in this order. Values may hold {client_ip}, {route}, {tenant} and the wildcards of match.path.
type HeaderEdits struct {
	Remove []string          `yaml:"remove"`
	Set    map[string]string `yaml:"set"`
	Add    map[string]string `yaml:"add"`
}

// Match says which requests a route is for. All that is given has to fit.
type Match struct {
	Host    Hosts        `yaml:"host"`
	Path    string       `yaml:"path"`
	Prefix  string       `yaml:"prefix"`
	Methods []string     `yaml:"methods"`
	Tenants []string     `yaml:"tenants"` // by tenant_header
	Headers []ValueMatch `yaml:"headers"`
	Query   []ValueMatch `yaml:"query"`
}

// ValueMatch is a condition on one header or query parameter. Exactly one of Value, Prefix, Regex and Present is given;
// Not turns it round.
type ValueMatch struct {
	Name    string  `yaml:"name"`
	Value   *string `yaml:"value"`
	Prefix  *string `yaml:"prefix"`
	Regex   *string `yaml:"regex"`
	Present *bool   `yaml:"present"`
	Not     bool    `yaml:"not"`
}

// Default returns the configuration of an empty file.
func Default() *Config {
	return &Config{
		Listen:   "127.0.0.1:8080",
		Frontend: FrontendOwn,
		Admin:    "127.0.0.1:9901",
		Telemetry: Telemetry{
			Endpoint: "http://127.0.0.1:4318", TrustInboundTrace: TrustContinue,
			LogLevel: Level(slog.LevelInfo), ExportLogLevel: Level(slog.LevelInfo), AccessLogLevel: Level(slog.LevelDebug),
		},
		Limits: Limits{MaxBody: 16 << 20, MaxHeader: 64 << 10, MaxConnections: 8192, MaxHops: 8},
		Timeouts: Timeouts{
			ReadHeader: 10 * time.Second, Read: 60 * time.Second, Write: 60 * time.Second, Idle: 60 * time.Second,
			Connect: 2 * time.Second, UpstreamHeader: 30 * time.Second, UpstreamIdle: 30 * time.Second,
			Request: 60 * time.Second, Drain: 10 * time.Second,
		},
	}
}

// complete gives the upstreams and TLS, which exist only once they are written, the defaults of what they leave out.
func (c *Config) complete() {
	for name, u := range c.Upstreams {
		u.Protocol = or(u.Protocol, HTTP1)
		u.Balance = or(u.Balance, RoundRobin)
		u.Host = or(u.Host, HostOfClient)
		u.Attempts = or(u.Attempts, 2)
		u.Cooldown = or(u.Cooldown, time.Second)
		u.MaxIdleConnections = or(u.MaxIdleConnections, 256)
		c.Upstreams[name] = u
	}
	if c.TLS != nil {
		c.TLS.MinVersion = or(c.TLS.MinVersion, "1.3")
	}
	c.TenantHeader = http.CanonicalHeaderKey(c.TenantHeader)
	for i := range c.Routes {
		for j, h := range c.Routes[i].Match.Headers {
			c.Routes[i].Match.Headers[j].Name = http.CanonicalHeaderKey(h.Name)
		}
	}
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
