package otlpclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// Environment reads the standard OTEL_EXPORTER_OTLP_* variables of traces
// (https://opentelemetry.io/docs/specs/otel/protocol/exporter/) through lookup, which is os.Getenv but in tests. base is the
// URL in force when they name none: signals are paths below it. All that is wrong is reported at once.
func Environment(lookup func(string) string, base string) (Settings, error) {
	e := environment{lookup: lookup}
	var s Settings
	s.Protocol = e.protocol()
	s.Endpoint = e.endpoint(base, s.Protocol)
	s.Headers = e.headers()
	s.Gzip = e.gzip()
	s.Timeout = e.timeout()
	s.TLS = e.tls()
	return s, errors.Join(e.errs...)
}

const prefix = "OTEL_EXPORTER_OTLP_"

type environment struct {
	lookup func(string) string
	errs   []error
}

// get returns a variable and its name; that of traces wins over that of all signals.
func (e *environment) get(name string) (value, variable string) {
	variable = prefix + "TRACES_" + name
	if value = strings.TrimSpace(e.lookup(variable)); value == "" {
		variable = prefix + name
		value = strings.TrimSpace(e.lookup(variable))
	}
	return value, variable
}

func (e *environment) fail(variable, format string, args ...any) {
	e.errs = append(e.errs, fmt.Errorf(variable+": "+format, args...))
}

func (e *environment) protocol() Protocol {
	switch value, variable := e.get("PROTOCOL"); value {
	case "", "http/protobuf":
	case "grpc":
		return GRPC
	default:
		e.fail(variable, "%q: want http/protobuf or grpc", value)
	}
	return HTTP
}

func (e *environment) endpoint(base string, p Protocol) string {
	value, variable := e.get("ENDPOINT")
	if value == "" {
		value = base
	} else if p == GRPC && !strings.Contains(value, "://") {
		value = e.scheme() + "://" + value // gRPC's exporters take host:port, and another variable says whether TLS is off
	}
	if u, err := url.Parse(value); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		e.fail(variable, "%q is not a URL such as http://127.0.0.1:4318", value)
	}
	asItStands := variable == prefix+"TRACES_ENDPOINT"
	if p == GRPC || asItStands {
		return value
	}
	return strings.TrimSuffix(value, "/") + "/v1/traces"
}

func (e *environment) scheme() string {
	if value, _ := e.get("INSECURE"); strings.EqualFold(value, "true") {
		return "http"
	}
	return "https"
}

// headers reads key=value pairs in W3C Baggage's form, without properties.
func (e *environment) headers() map[string]string {
	value, variable := e.get("HEADERS")
	if value == "" {
		return nil
	}
	headers := map[string]string{}
	for pair := range strings.SplitSeq(value, ",") {
		name, text, ok := strings.Cut(pair, "=")
		name = strings.TrimSpace(name)
		text, err := url.PathUnescape(strings.TrimSpace(text))
		if !ok || name == "" || err != nil {
			e.fail(variable, "want name=value pairs with values percent-encoded, separated by commas") // values may be secrets
			return nil
		}
		headers[name] = text
	}
	return headers
}

func (e *environment) gzip() bool {
	switch value, variable := e.get("COMPRESSION"); value {
	case "gzip":
		return true
	case "", "none":
	default:
		e.fail(variable, "%q: want gzip or none", value)
	}
	return false
}

func (e *environment) timeout() time.Duration {
	value, variable := e.get("TIMEOUT")
	if value == "" {
		return 0
	}
	ms, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		e.fail(variable, "%q: want milliseconds", value)
	}
	return time.Duration(ms) * time.Millisecond
}

func (e *environment) tls() *tls.Config {
	ca, caVariable := e.get("CERTIFICATE")
	cert, certVariable := e.get("CLIENT_CERTIFICATE")
	key, _ := e.get("CLIENT_KEY")
	if ca == "" && cert == "" && key == "" {
		return nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		config.RootCAs = x509.NewCertPool()
		if err != nil {
			e.fail(caVariable, "%w", err)
		} else if !config.RootCAs.AppendCertsFromPEM(pem) {
			e.fail(caVariable, "%s holds no certificate", ca)
		}
	}
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			e.fail(certVariable, "%w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config
}
