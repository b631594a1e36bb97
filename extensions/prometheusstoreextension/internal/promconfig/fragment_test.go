package promconfig_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/promconfig"
)

func fragment(t *testing.T, yaml string) *promconfig.Fragment {
	t.Helper()
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(yaml))
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	f := &promconfig.Fragment{}
	require.NoError(t, conf.Unmarshal(f))
	return f
}

func TestAFragmentOfAServersFileMeansTheSame(t *testing.T) {
	cfg, err := fragment(t, `
global:
  scrape_interval: 30s
  external_labels: {cluster: north}
rule_files: [rules/*.yml]
scrape_configs:
  - job_name: node
    static_configs:
      - targets: [localhost:9100]
        labels: {rack: a}
    relabel_configs:
      - source_labels: [__address__]
        regex: (.*):\d+
        target_label: host
        replacement: $1
alerting:
  alertmanagers:
    - static_configs: [{targets: [localhost:9093]}]
remote_write:
  - url: http://localhost:9009/api/v1/push
    basic_auth: {username: u, password: secret}
    write_relabel_configs: [{action: drop, source_labels: [__name__], regex: go_.*}]
otlp:
  promote_resource_attributes: [k8s.namespace.name]
`).Load(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	assert.Equal(t, 30*time.Second, time.Duration(cfg.GlobalConfig.ScrapeInterval))
	assert.Equal(t, 15*time.Second, time.Duration(cfg.GlobalConfig.EvaluationInterval), "our default, not the 1m of a server")
	assert.Equal(t, "north", cfg.GlobalConfig.ExternalLabels.Get("cluster"))
	assert.Equal(t, []string{"rules/*.yml"}, cfg.RuleFiles)
	jobs, err := cfg.GetScrapeConfigs()
	require.NoError(t, err)
	require.Len(t, jobs, 1)
	assert.Equal(t, 30*time.Second, time.Duration(jobs[0].ScrapeInterval))
	assert.Equal(t, "$1", jobs[0].RelabelConfigs[0].Replacement)
	require.Len(t, cfg.RemoteWriteConfigs, 1)
	assert.Equal(t, "secret", string(cfg.RemoteWriteConfigs[0].HTTPClientConfig.BasicAuth.Password), "secrets survive")
	require.Len(t, cfg.AlertingConfig.AlertmanagerConfigs, 1)
	assert.Equal(t, []string{"k8s.namespace.name"}, cfg.OTLPConfig.PromoteResourceAttributes)
}

func TestEverythingIsSentUnlessTheUserSaysOtherwise(t *testing.T) {
	f := fragment(t, `
remote_write:
  - url: http://localhost:1/
  - url: http://localhost:2/
    send_exemplars: false
    protobuf_message: prometheus.WriteRequest
`)
	cfg, err := f.Load(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	assert.True(t, cfg.RemoteWriteConfigs[0].SendExemplars)
	assert.True(t, cfg.RemoteWriteConfigs[0].SendNativeHistograms)
	assert.False(t, cfg.RemoteWriteConfigs[1].SendExemplars)
	assert.True(t, cfg.RemoteWriteConfigs[1].SendNativeHistograms)
	assert.False(t, f.MessageGiven(0))
	assert.True(t, f.MessageGiven(1))
}

func TestErrorsNameTheEntry(t *testing.T) {
	for name, tc := range map[string]struct{ yaml, want string }{
		"unknown key in the second job": {
			"scrape_configs: [{job_name: a}, {job_name: b, scrape_intervall: 5s}]",
			`scrape_configs[1]: key scrape_intervall not found`,
		},
		"bad duration under global": {
			"global: {scrape_interval: soon}",
			`global: not a valid duration string: "soon"`,
		},
		"remote write without url": {
			"remote_write: [{name: x}]",
			`remote_write[0]: url for remote_write is empty`,
		},
		"two entries wrong": {
			"remote_write: [{name: x}]\notlp: {translation_strategy: Nothing}",
			"remote_write[0]: url for remote_write is empty\notlp: unsupported OTLP translation strategy \"Nothing\"",
		},
		"wrong only together": {
			"scrape_configs: [{job_name: a}, {job_name: a}]",
			`found multiple scrape configs with job name "a"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := fragment(t, tc.yaml).Load(slog.New(slog.DiscardHandler))
			assert.EqualError(t, err, tc.want)
		})
	}
}

func TestNothingIsAValidFragment(t *testing.T) {
	cfg, err := (&promconfig.Fragment{}).Load(slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	assert.Empty(t, cfg.ScrapeConfigs)
}
