package otlpclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/tailgate-otel/tailgate/gateway/telemetry/span"
)

const exportMethod = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"

type grpcClient struct {
	conn    *grpc.ClientConn
	headers metadata.MD
}

func newGRPC(s Settings, u *url.URL) (*grpcClient, error) {
	creds := insecure.NewCredentials()
	if u.Scheme == "https" {
		config := s.TLS
		if config == nil {
			config = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		creds = credentials.NewTLS(config)
	}
	call := []grpc.CallOption{grpc.ForceCodec(bytesCodec{})}
	if s.Gzip {
		call = append(call, grpc.UseCompressor(gzip.Name))
	}
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(creds), grpc.WithUserAgent(userAgent), grpc.WithDefaultCallOptions(call...),
		grpc.WithDisableRetry(), // the exporter retries, and counts it
	}
	target := "dns:///" + u.Host
	if s.Dial != nil {
		target = "passthrough:///" + u.Host
		opts = append(opts, grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) { return s.Dial(ctx, "tcp", addr) }))
	}
	conn, err := grpc.NewClient(target, opts...)
	if err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", u.Host, err)
	}
	return &grpcClient{conn: conn, headers: metadata.New(s.Headers)}, nil
}

func (c *grpcClient) Close() error { return c.conn.Close() }

func (c *grpcClient) Send(ctx context.Context, request []byte) (rejected int64, err error) {
	if len(c.headers) > 0 {
		ctx = metadata.NewOutgoingContext(ctx, c.headers)
	}
	var response []byte
	if err := c.conn.Invoke(ctx, exportMethod, request, &response); err != nil {
		return 0, grpcError(err)
	}
	return rejectedSpans(response), nil
}

// grpcError sorts errors by the specification's table in section "OTLP/gRPC Response".
func grpcError(err error) error {
	s := status.Convert(err)
	after, asked := retryDelay(s)
	switch s.Code() {
	case codes.ResourceExhausted:
		if !asked {
			return err
		}
	case codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss:
	default:
		return err
	}
	return &span.RetryableError{Err: err, After: after}
}

// retryDelay returns the wait that the receiver asks for.
func retryDelay(s *status.Status) (d time.Duration, asked bool) {
	for _, detail := range s.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration(), true
		}
	}
	return 0, false
}

// bytesCodec passes messages that are encoded already.
type bytesCodec struct{}

func (bytesCodec) Name() string { return "proto" }

// Marshal copies: grpc-go may still be writing a message whose call is over.
func (bytesCodec) Marshal(v any) ([]byte, error) { return bytes.Clone(v.([]byte)), nil }

func (bytesCodec) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = bytes.Clone(data)
	return nil
}
