package health

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// TCP checks that a connection can be made to host:port.
func TCP(address string) Check {
	return func(ctx context.Context) error {
		c, err := dial(ctx, address)
		if err != nil {
			return err
		}
		return c.Close()
	}
}

// PING checks a server that speaks Redis' protocol: it must answer PONG, or that it wants a password first. A server that is
// loading its data, or whose master is down, answers otherwise and does not count as working.
func PING(address string) Check {
	return func(ctx context.Context) error {
		c, err := dial(ctx, address)
		if err != nil {
			return err
		}
		defer c.Close() //nolint:errcheck // nothing was written that could be lost
		defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })()
		if _, err := c.Write([]byte("*1\r\n$4\r\nPING\r\n")); err != nil {
			return fmt.Errorf("send PING: %w", err)
		}
		line, err := bufio.NewReader(io.LimitReader(c, 512)).ReadString('\n')
		if err != nil {
			return fmt.Errorf("read the answer to PING: %w", err)
		}
		if line == "+PONG\r\n" || strings.HasPrefix(line, "-NOAUTH ") {
			return nil
		}
		return fmt.Errorf("PING was answered with %q", strings.TrimSpace(line))
	}
}

func dial(ctx context.Context, address string) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return c, nil
}

// HTTPSettings say what an HTTP check asks and expects.
type HTTPSettings struct {
	// URL is asked with GET; http or https.
	URL string
	// Host replaces the URL's in the request.
	Host string
	// StatusMin and StatusMax are the statuses that count as working. 0 is 200 to 299. Redirects are not followed.
	StatusMin, StatusMax int
	// Contains must occur in the first 64 KiB of the body, if it is not empty.
	Contains string
	// TLS is for https.
	TLS *tls.Config
}

// maxBody bounds what is read of an answer.
const maxBody = 64 << 10

// HTTP checks that a GET is answered as expected. A URL that cannot be asked is an error.
func HTTP(s HTTPSettings) (Check, error) {
	or(&s.StatusMin, 200)
	or(&s.StatusMax, max(299, s.StatusMin))
	if s.StatusMin > s.StatusMax {
		return nil, fmt.Errorf("status: the range %d to %d is empty", s.StatusMin, s.StatusMax)
	}
	req, err := http.NewRequest(http.MethodGet, s.URL, nil)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	if req.URL.Scheme != "http" && req.URL.Scheme != "https" {
		return nil, fmt.Errorf("url: %q must begin with http:// or https://", s.URL)
	}
	req.Host = s.Host
	req.Header.Set("User-Agent", "tailgate-gateway-probe")
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return func(ctx context.Context) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		res, err := once(ctx, s.TLS, protocols).RoundTrip(req.Clone(ctx))
		if err != nil {
			return fmt.Errorf("ask: %w", causeOf(ctx, err))
		}
		defer res.Body.Close() //nolint:errcheck // what is left of the body does not matter
		if res.StatusCode < s.StatusMin || res.StatusCode > s.StatusMax {
			return fmt.Errorf("status %d, want %d to %d", res.StatusCode, s.StatusMin, s.StatusMax)
		}
		if s.Contains == "" {
			return nil
		}
		body, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
		if err != nil {
			return fmt.Errorf("read the body: %w", causeOf(ctx, err))
		}
		if !bytes.Contains(body, []byte(s.Contains)) {
			return fmt.Errorf("the body does not contain %q", s.Contains)
		}
		return nil
	}, nil
}

// once is a transport for one request, whose connection ends with ctx. A transport kept over probes would go on connecting
// for a request that is over, and would keep a connection whose server never ends an HTTP/2 stream.
func once(ctx context.Context, t *tls.Config, p *http.Protocols) *http.Transport {
	return &http.Transport{
		TLSClientConfig: t.Clone(), // transports write into it
		Protocols:       p,
		DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
			c, err := dial(ctx, address)
			if err != nil {
				return nil, err
			}
			context.AfterFunc(ctx, func() { _ = c.Close() })
			return c, nil
		},
	}
}

// causeOf is the end of ctx, if that is why an error came.
func causeOf(ctx context.Context, err error) error {
	if end := context.Cause(ctx); end != nil {
		return end
	}
	return err
}
