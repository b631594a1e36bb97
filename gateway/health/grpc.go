package health

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"google.golang.org/protobuf/encoding/protowire"
)

// GRPCSettings say which server a gRPC check asks for what.
type GRPCSettings struct {
	// URL is http://host:port for HTTP/2 without TLS, https://host:port with it.
	URL string
	// Service is the service whose health is asked for; "" is the server's.
	Service string
	// TLS is for https.
	TLS *tls.Config
}

const serving = 1 // HealthCheckResponse.ServingStatus

// GRPC checks that grpc.health.v1.Health/Check answers SERVING. It speaks the protocol over net/http's HTTP/2, which the
// gateway has anyway: one message each way needs no gRPC client.
func GRPC(s GRPCSettings) (Check, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	protocols := new(http.Protocols)
	switch u.Scheme {
	case "http":
		protocols.SetUnencryptedHTTP2(true)
	case "https":
		protocols.SetHTTP2(true)
	default:
		return nil, fmt.Errorf("url: %q must begin with http:// or https://", s.URL)
	}
	call := u.JoinPath("/grpc.health.v1.Health/Check").String()
	message := frame(s.Service)
	return func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, call, bytes.NewReader(message))
		if err != nil {
			return fmt.Errorf("url: %w", err)
		}
		req.Header.Set("Content-Type", "application/grpc")
		req.Header.Set("Te", "trailers")
		req.Header.Set("User-Agent", "tailgate-gateway-probe")
		res, err := once(ctx, s.TLS, protocols).RoundTrip(req)
		if err != nil {
			return fmt.Errorf("ask: %w", causeOf(ctx, err))
		}
		defer res.Body.Close() //nolint:errcheck // it was read, or does not matter
		return readHealth(ctx, res)
	}, nil
}

// frame is a HealthCheckRequest as gRPC sends it: not compressed, its length, the message.
func frame(service string) []byte {
	var m []byte
	if service != "" {
		m = protowire.AppendTag(m, 1, protowire.BytesType)
		m = protowire.AppendString(m, service)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(m))), m...)
}

func readHealth(ctx context.Context, res *http.Response) error {
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("HTTP status %d instead of an answer of gRPC", res.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return fmt.Errorf("read the answer: %w", causeOf(ctx, err))
	}
	status, message := res.Trailer.Get("Grpc-Status"), res.Trailer.Get("Grpc-Message")
	if status == "" { // an answer without a message has them in its header
		status, message = res.Header.Get("Grpc-Status"), res.Header.Get("Grpc-Message")
	}
	if status != "0" {
		return fmt.Errorf("gRPC status %q: %s", status, message)
	}
	s, err := parseHealth(body)
	if err != nil {
		return err
	}
	if s != serving {
		return fmt.Errorf("serving status %d, want %d", s, serving)
	}
	return nil
}

var errHealth = errors.New("the answer is no HealthCheckResponse")

// parseHealth reads the serving status from a framed HealthCheckResponse.
func parseHealth(body []byte) (uint64, error) {
	if len(body) < 5 || body[0] != 0 || uint64(binary.BigEndian.Uint32(body[1:5])) != uint64(len(body)-5) {
		return 0, errHealth
	}
	status := uint64(0)
	for m := body[5:]; len(m) > 0; {
		number, kind, n := protowire.ConsumeTag(m)
		if n < 0 {
			return 0, errHealth
		}
		m = m[n:]
		if number == 1 && kind == protowire.VarintType {
			if status, n = protowire.ConsumeVarint(m); n < 0 {
				return 0, errHealth
			}
		} else if n = protowire.ConsumeFieldValue(number, kind, m); n < 0 {
			return 0, errHealth
		}
		m = m[n:]
	}
	return status, nil
}
