package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/tailgate-otel/tailgate/internal/yamlkeys"
)

// Validate reports everything that is wrong with the configuration, each message starting with the path of the key.
func (c *Config) Validate() error {
	var errs []error
	for _, p := range c.problems() {
		errs = append(errs, fmt.Errorf("%s: %s", p.path, p.text))
	}
	return errors.Join(errs...)
}

type problem struct{ path, text string }

// checker collects problems.
type checker struct{ found []problem }

func (k *checker) add(path, format string, args ...any) {
	k.found = append(k.found, problem{path, fmt.Sprintf(format, args...)})
}

func (c *Config) problems() []problem {
	k := &checker{}
	k.address("listen", c.Listen)
	k.address("admin", c.Admin)
	oneOf(k, "frontend", c.Frontend, FrontendOwn, FrontendNetHTTP)
	if c.TenantHeader != "" && !isToken(c.TenantHeader) {
		k.add("tenant_header", "%q is not the name of a header", c.TenantHeader)
	}
	c.checkTLS(k)
	c.checkTelemetry(k)
	c.checkLimits(k)
	c.checkTimeouts(k)
	for _, name := range sortedKeys(c.Upstreams) {
		checkUpstream(k, "upstreams."+name, c.Upstreams[name])
	}
	c.checkRoutes(k)
	return k.found
}

func (k *checker) address(path, addr string) {
	_, port, err := net.SplitHostPort(addr)
	n, convErr := strconv.Atoi(port)
	if err != nil || convErr != nil || n < 0 || n > 65535 {
		k.add(path, "%q is not an address: write host:port, as in 127.0.0.1:8080", addr)
	}
}

func oneOf[T ~string](k *checker, path string, value T, known ...T) {
	if slices.Contains(known, value) {
		return
	}
	words := make([]string, len(known))
	for i, w := range known {
		words[i] = string(w)
	}
	k.add(path, "unknown value %q%s", string(value), yamlkeys.DidYouMean(string(value), words))
}

func (c *Config) checkTLS(k *checker) {
	if c.TLS == nil {
		return
	}
	k.address("tls.listen", c.TLS.Listen)
	if c.TLS.CertFile == "" {
		k.add("tls.cert_file", "missing: name the PEM file with the certificate chain")
	}
	if c.TLS.KeyFile == "" {
		k.add("tls.key_file", "missing: name the PEM file with the private key")
	}
	oneOf(k, "tls.min_version", c.TLS.MinVersion, "1.2", "1.3")
}

func (c *Config) checkTelemetry(k *checker) {
	oneOf(k, "telemetry.trust_inbound_trace", c.Telemetry.TrustInboundTrace, TrustContinue, TrustLink, TrustIgnore)
	if c.Telemetry.Endpoint == "" {
		return
	}
	if u, err := url.Parse(c.Telemetry.Endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		k.add("telemetry.endpoint", "%q is not the base URL of an OTLP/HTTP receiver: write one as http://127.0.0.1:4318, or \"\" for no export", c.Telemetry.Endpoint)
	}
}

func (c *Config) checkLimits(k *checker) {
	if c.Limits.MaxHeader < 4<<10 || c.Limits.MaxHeader > 16<<20 {
		k.add("limits.max_header", "must be between 4KiB and 16MiB, got %s", c.Limits.MaxHeader)
	}
	if c.Limits.MaxConnections <= 0 {
		k.add("limits.max_connections", "must be positive, got %d", c.Limits.MaxConnections)
	}
	if c.Limits.MaxHops <= 0 {
		k.add("limits.max_hops", "must be positive, got %d", c.Limits.MaxHops)
	}
}

func (c *Config) checkTimeouts(k *checker) {
	t := c.Timeouts
	for _, d := range []struct {
		key   string
		value int64
		zero  bool
	}{
		{"read_header", int64(t.ReadHeader), false}, {"read", int64(t.Read), false}, {"write", int64(t.Write), false},
		{"idle", int64(t.Idle), false}, {"upstream_connect", int64(t.Connect), false},
		{"upstream_response_header", int64(t.UpstreamHeader), true}, {"upstream_idle", int64(t.UpstreamIdle), false},
		{"request", int64(t.Request), true}, {"drain_delay", int64(t.DrainDelay), true}, {"drain", int64(t.Drain), true},
	} {
		switch {
		case d.value < 0:
			k.add("timeouts."+d.key, "must not be negative")
		case d.value == 0 && !d.zero:
			k.add("timeouts."+d.key, "must be positive: a peer that is never given up on holds its memory for ever")
		}
	}
}

func checkUpstream(k *checker, path string, u Upstream) {
	oneOf(k, path+".protocol", u.Protocol, HTTP1, H2C, HTTP2)
	oneOf(k, path+".balance", u.Balance, RoundRobin, LeastLoaded)
	oneOf(k, path+".host", u.Host, HostOfClient, HostOfEndpoint)
	if u.Attempts < 1 || u.Attempts > 8 {
		k.add(path+".attempts", "must be between 1 and 8, got %d", u.Attempts)
	}
	if u.Cooldown < 0 {
		k.add(path+".cooldown", "must be positive, got %s", u.Cooldown)
	}
	if u.MaxIdleConnections < 0 {
		k.add(path+".max_idle_connections", "must be positive, got %d", u.MaxIdleConnections)
	}
	if len(u.Endpoints) == 0 {
		k.add(path+".endpoints", "missing: list at least one, as in [\"http://127.0.0.1:9102\"]")
	}
	for i, e := range u.Endpoints {
		here := fmt.Sprintf("%s.endpoints[%d]", path, i)
		if slices.Index(u.Endpoints, e) < i {
			k.add(here, "%q stands twice", e)
		}
		checkEndpoint(k, here, e, u.Protocol)
	}
}

func checkEndpoint(k *checker, path, endpoint string, p Protocol) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		k.add(path, "%q is not a base URL: write one as http://127.0.0.1:9102", endpoint)
		return
	}
	if u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		k.add(path, "%q has more than scheme, host and port; to change paths use a route's rewrite or strip_prefix", u.Redacted())
	}
	switch {
	case p == H2C && u.Scheme != "http":
		k.add(path, "protocol h2c is HTTP/2 without TLS, but the endpoint is https: use protocol http2")
	case p == HTTP2 && u.Scheme != "https":
		k.add(path, "protocol http2 is HTTP/2 over TLS, but the endpoint is http: use protocol h2c")
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func isToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	}) < 0
}
