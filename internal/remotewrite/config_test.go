package remotewrite

import (
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v2"
)

// TestFromPrometheus: an entry in Prometheus' own form works, credentials and headers included.
func TestFromPrometheus(t *testing.T) {
	server := newServer(t, 0)
	server.stage(func(w http.ResponseWriter, r *http.Request) bool {
		user, password, _ := r.BasicAuth()
		return (user != "me" || password != "secret" || r.Header.Get("X-Scope-OrgID") != "tenant") && status(401)(w, r)
	})
	rw := &config.RemoteWriteConfig{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(`
name: far
url: `+server.URL+`
remote_timeout: 3s
basic_auth: {username: me, password: secret}
headers: {X-Scope-OrgID: tenant}
protobuf_message: io.prometheus.write.v2.Request
write_relabel_configs: [{regex: instance, action: labeldrop}]
queue_config: {max_shards: 5, batch_send_deadline: 10ms}
`), rw))
	cfg, err := FromPrometheus(rw, labels.FromStrings("cluster", "eu"))
	require.NoError(t, err)
	require.Equal(t, "far", cfg.Name)
	require.Equal(t, V2, cfg.Message)
	require.Equal(t, 3*time.Second, cfg.Timeout)
	require.Equal(t, 5, cfg.Queue.MaxShards)
	cfg.Directory = t.TempDir()
	s := open(t, cfg, nil)
	app := s.AppenderV2(t.Context())
	_, err = app.Append(0, gauge("up", 1), 0, base(), 1, nil, nil, storage.AppendV2Options{})
	require.NoError(t, err)
	require.NoError(t, app.Commit())
	closeWithin(t, s, 10*time.Second)
	require.Contains(t, contents(t, server.db), labels.FromStrings("__name__", "up", "cluster", "eu", "job", "node").String())
}
