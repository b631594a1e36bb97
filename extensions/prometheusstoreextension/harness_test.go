package prometheusstoreextension_test

import (
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	promlabels "github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensiontest"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension"
	"github.com/tailgate-otel/tailgate/internal/promstore"
)

type host struct{}

func (host) GetExtensions() map[component.ID]component.Component { return nil }

// settings are the keys a user would write.
type settings map[string]any

// instance is an extension with a client of its API.
type instance struct {
	t         *testing.T
	extension extension.Extension
	client    *http.Client
}

// newInstance creates a store in dir that listens on a unix socket: no port that another process could take first.
func newInstance(t *testing.T, dir string, keys settings) *instance {
	t.Helper()
	short, err := os.MkdirTemp("", "store") // t.TempDir is too long for the address of a socket
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(short)) })
	socket := filepath.Join(short, "s")
	http1 := map[string]any{"transport": "unix", "endpoint": socket}
	all := map[string]any{"directory": dir, "http": http1, "self_metrics": map[string]any{"interval": "0s"},
		"rules": map[string]any{"builtin": false}}
	maps.Copy(all, keys)
	if more, ok := keys["http"].(map[string]any); ok {
		maps.Copy(http1, more)
		all["http"] = http1
	}
	i := &instance{t: t, extension: create(t, all)}
	i.client = &http.Client{
		Transport:     unixTransport(socket),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	t.Cleanup(i.client.CloseIdleConnections)
	t.Cleanup(i.stop)
	return i
}

func unixTransport(socket string) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
		ExpectContinueTimeout: time.Minute,
	}
}

func create(t *testing.T, keys settings) extension.Extension {
	t.Helper()
	factory := prometheusstoreextension.NewFactory()
	cfg := factory.CreateDefaultConfig()
	require.NoError(t, confmap.NewFromStringMap(keys).Unmarshal(cfg))
	require.NoError(t, confmap.Validate(cfg))
	ext, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	return ext
}

func started(t *testing.T, dir string, keys settings) *instance {
	t.Helper()
	i := newInstance(t, dir, keys)
	require.NoError(t, i.extension.Start(t.Context(), host{}))
	return i
}

func (i *instance) stop() {
	i.t.Helper()
	require.NoError(i.t, i.extension.Shutdown(context.Background()))
}

func (i *instance) store() promstore.Store { return i.extension.(promstore.Store) }

// write appends one sample of a counter and commits.
func (i *instance) write(name string, at time.Time, value float64) {
	i.t.Helper()
	app := i.store().AppenderV2(i.t.Context())
	_, err := app.Append(0, promlabels.FromStrings(model.MetricNameLabel, name, "job", "shop"), 0, at.UnixMilli(), value, nil, nil,
		storage.AppendV2Options{
			MetricFamilyName: name,
			Metadata:         metadata.Metadata{Type: model.MetricTypeCounter, Help: "about " + name},
		})
	require.NoError(i.t, err)
	require.NoError(i.t, app.Commit())
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (i *instance) get(target string, header ...string) answer {
	i.t.Helper()
	return i.do(http.MethodGet, target, "", header...)
}

func (i *instance) do(method, target, body string, header ...string) answer {
	i.t.Helper()
	r, err := http.NewRequestWithContext(i.t.Context(), method, "http://store"+target, strings.NewReader(body))
	require.NoError(i.t, err)
	for n := 0; n+1 < len(header); n += 2 {
		r.Header.Set(header[n], header[n+1])
	}
	resp, err := i.client.Do(r)
	require.NoError(i.t, err)
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	require.NoError(i.t, err)
	return answer{resp.StatusCode, resp.Header, string(got)}
}

func now() time.Time { return time.Now().Truncate(time.Millisecond) }
