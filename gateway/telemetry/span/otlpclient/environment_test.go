package otlpclient_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/gateway/telemetry/span/otlpclient"
)

func TestEnvironment(t *testing.T) {
	const p = "OTEL_EXPORTER_OTLP_"
	for _, tc := range []struct {
		name string
		env  []string
		want string // protocol endpoint gzip timeout headers
		err  []string
	}{
		{name: "nothing", want: "0 http://127.0.0.1:4318/v1/traces false 0s map[]"},
		{name: "base", env: []string{"ENDPOINT=https://c:1/x/"}, want: "0 https://c:1/x/v1/traces false 0s map[]"},
		{name: "of traces, as it stands", env: []string{"ENDPOINT=http://c:1", "TRACES_ENDPOINT=http://t:2/mine"}, want: "0 http://t:2/mine false 0s map[]"},
		{name: "grpc", env: []string{"PROTOCOL=grpc", "ENDPOINT=http://c:4317"}, want: "1 http://c:4317 false 0s map[]"},
		{name: "grpc by default URL", env: []string{"TRACES_PROTOCOL=grpc"}, want: "1 http://127.0.0.1:4318 false 0s map[]"},
		{name: "grpc without scheme", env: []string{"PROTOCOL=grpc", "ENDPOINT=c:4317"}, want: "1 https://c:4317 false 0s map[]"},
		{name: "grpc without scheme or TLS", env: []string{"PROTOCOL=grpc", "ENDPOINT=c:4317", "INSECURE=true"}, want: "1 http://c:4317 false 0s map[]"},
		{name: "the rest", env: []string{"COMPRESSION=gzip", "TRACES_TIMEOUT=2500", "HEADERS=a=b%20c, d = e=f"}, want: "0 http://127.0.0.1:4318/v1/traces true 2.5s map[a:b c d:e=f]"},
		{name: "switched off for traces", env: []string{"COMPRESSION=gzip", "TRACES_COMPRESSION=none"}, want: "0 http://127.0.0.1:4318/v1/traces false 0s map[]"},
		{name: "all wrong", env: []string{"PROTOCOL=http/json", "ENDPOINT=c:4318", "TRACES_COMPRESSION=zip", "TIMEOUT=1s", "HEADERS=secret", "CERTIFICATE=/does/not/exist", "CLIENT_KEY=/neither"},
			err: []string{p + `PROTOCOL: "http/json"`, p + `ENDPOINT: "c:4318" is not a URL`, p + "HEADERS: want", p + `TRACES_COMPRESSION: "zip"`, p + `TIMEOUT: "1s"`, p + "CERTIFICATE: open /does", p + "CLIENT_CERTIFICATE: "}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			env := map[string]string{}
			for _, e := range tc.env {
				name, value, _ := strings.Cut(e, "=")
				env[p+name] = value
			}
			s, err := otlpclient.Environment(func(name string) string { return env[name] }, "http://127.0.0.1:4318")
			if len(tc.err) > 0 {
				lines := strings.Split(fmt.Sprint(err), "\n")
				if len(lines) != len(tc.err) {
					t.Fatalf("%d errors, want %d: %v", len(lines), len(tc.err), err)
				}
				for i, want := range tc.err {
					if !strings.HasPrefix(lines[i], want) {
						t.Errorf("got %q, want %q", lines[i], want)
					}
				}
				if strings.Contains(err.Error(), "secret") {
					t.Error("the error shows a header")
				}
				return
			}
			if got := fmt.Sprintf("%v %s %v %s %v", s.Protocol, s.Endpoint, s.Gzip, s.Timeout, s.Headers); err != nil || got != tc.want {
				t.Errorf("got  %s, %v\nwant %s", got, err, tc.want)
			}
		})
	}
}
