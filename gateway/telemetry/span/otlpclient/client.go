package otlpclient

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/telemetry/span"
)

// Protocol is how requests travel.
type Protocol uint8

const (
	// HTTP is OTLP/HTTP with protobuf bodies.
	HTTP Protocol = iota
	// GRPC is OTLP/gRPC.
	GRPC
)

// Settings say where requests go.
type Settings struct {
	Protocol Protocol
	// Endpoint is a URL. HTTP posts to it as it stands (http://127.0.0.1:4318/v1/traces); of gRPC's only the host counts,
	// and https means TLS.
	Endpoint string
	// Headers are sent with every request, as gRPC metadata with their names in lower case.
	Headers map[string]string
	// Gzip compresses requests to a tenth or so, for about 3 ns of CPU per byte: worth it across zones, not to a collector
	// on the same machine.
	Gzip bool
	TLS  *tls.Config
	// Dial replaces the TCP dialer, for instance to reach a collector on a unix socket. Its addr is the endpoint's.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Timeout is what OTEL_EXPORTER_OTLP_TIMEOUT says, for span.Retry; clients have no timeout of their own. Zero: unset.
	Timeout time.Duration
}

// Client is a span.Sender that holds connections.
type Client interface {
	span.Sender
	Close() error
}

// New returns a client. It connects to nothing yet.
func New(s Settings) (Client, error) {
	u, err := url.Parse(s.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	if u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("endpoint: %q is not a URL such as http://127.0.0.1:4318/v1/traces", s.Endpoint)
	}
	if s.Protocol == GRPC {
		return newGRPC(s, u)
	}
	return newHTTP(s, u), nil
}
