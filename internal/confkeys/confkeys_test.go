package confkeys_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter/exporterhelper"

	"github.com/tailgate-otel/tailgate/internal/confkeys"
)

type section struct {
	Timeout time.Duration `mapstructure:"timeout"`
	hidden  int           `mapstructure:"hidden"`
}

type config struct {
	Store   component.ID                                             `mapstructure:"store"`
	Section section                                                  `mapstructure:"section"`
	Labels  map[string]string                                        `mapstructure:"labels"`
	HTTP    confighttp.ServerConfig                                  `mapstructure:"http"`
	Queue   configoptional.Optional[exporterhelper.QueueBatchConfig] `mapstructure:"sending_queue"`
	Squash  exporterhelper.TimeoutConfig                             `mapstructure:",squash"`
}

func check(t *testing.T, yaml string) error {
	t.Helper()
	conf, err := confmap.NewRetrievedFromYAML([]byte(yaml))
	require.NoError(t, err)
	parsed, err := conf.AsConf()
	require.NoError(t, err)
	return confkeys.Check(parsed, &config{Section: section{hidden: 1}})
}

func TestKnownKeysPass(t *testing.T) {
	assert.NoError(t, check(t, `
store: prometheusstore/long
timeout: 5s
section: {timeout: 1s}
labels: {anything: goes, here: too}
sending_queue: {enabled: true, num_consumers: 2, batch: {min_size: 10}}
http:
  endpoint: localhost:0
  tls: {cert_file: a.pem, min_version: "1.3"}
  cors: {allowed_origins: ["*"]}
  keepalive: {idle_timeout: 1m}
`))
}

func TestUnknownKeysAreNamedWithTheirPath(t *testing.T) {
	for yaml, want := range map[string]string{
		`stor: x`:                              `stor: unknown key; did you mean "store"?`,
		`section: {timout: 1s}`:                `section::timout: unknown key; did you mean "timeout"?`,
		`section: {hidden: 1}`:                 `section::hidden: unknown key; valid here: timeout`,
		`http: {endpiont: x}`:                  `http::endpiont: unknown key; did you mean "endpoint"?`,
		`http: {tls: {cert_fil: x}}`:           `http::tls::cert_fil: unknown key; did you mean "cert_file"?`,
		`sending_queue: {num_consumer: 1}`:     `sending_queue::num_consumer: unknown key; did you mean "num_consumers"?`,
		`sending_queue: {batch: {min_siz: 1}}`: `sending_queue::batch::min_siz: unknown key; did you mean "min_size"?`,
		"stor: x\nsection: {timout: 1s}": "section::timout: unknown key; did you mean \"timeout\"?\n" +
			`stor: unknown key; did you mean "store"?`,
	} {
		assert.EqualError(t, check(t, yaml), want, yaml)
	}
}
