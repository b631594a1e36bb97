package prometheusstoreextension

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/confmap"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/promconfig"
	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/ruling"
	"github.com/tailgate-otel/tailgate/internal/confkeys"
	"github.com/tailgate-otel/tailgate/internal/quantity"
	"github.com/tailgate-otel/tailgate/internal/yamlkeys"
)

const traceIDPlaceholder = "{trace_id}"

// Modes of a store.
const (
	ModeServer = "server"
	ModeAgent  = "agent"
)

// Config is what a user writes under extensions::prometheusstore.
type Config struct {
	// Mode is server, which keeps samples and answers queries, or agent, which only forwards by remote_write. Default
	// server.
	Mode string `mapstructure:"mode"`

	// Directory holds the database: blocks, write-ahead log, lock file. One process at a time may have it open.
	// Default data/prometheus, relative to the working directory; must not be empty.
	Directory string `mapstructure:"directory"`

	// Retention says when blocks are deleted.
	Retention RetentionConfig `mapstructure:"retention"`

	// OutOfOrderTimeWindow is how much older than the newest sample of its series a sample or exemplar may be. Smaller
	// loses what retries and several replicas deliver late, larger keeps more head chunks open. 0 refuses whatever is
	// out of order. Default 10m.
	OutOfOrderTimeWindow quantity.Duration `mapstructure:"out_of_order_time_window"`

	// MaxExemplars is the size of the ring that all series share; at about 100 bytes each the default takes 10 MB.
	// The oldest is overwritten. 0 stores none. Default 100000.
	MaxExemplars int64 `mapstructure:"max_exemplars"`

	// WALCompression compresses the write-ahead log with Snappy, which about halves it and costs little. Default true.
	WALCompression bool `mapstructure:"wal_compression"`

	// Query limits what one query, and all together, may cost.
	Query QueryConfig `mapstructure:"query"`

	// HTTP is the listener for the API, the viewer and /metrics. Default endpoint localhost:9090.
	HTTP confighttp.ServerConfig `mapstructure:"http"`

	// Viewer configures the dashboards at /ui/.
	Viewer ViewerConfig `mapstructure:"viewer"`

	// AdminAPI opens the routes that delete series and take snapshots. Default false.
	AdminAPI bool `mapstructure:"admin_api"`

	// Receive says what may be pushed to the listener.
	Receive ReceiveConfig `mapstructure:"receive"`

	// SelfMetrics are those of this store and of its collector.
	SelfMetrics SelfMetricsConfig `mapstructure:"self_metrics"`

	// Rules says how rules are evaluated and where their alerts go, beyond what global, rule_files and alerting say.
	Rules RulesConfig `mapstructure:"rules"`

	// RemoteWriteQueue bounds what waits for the servers under remote_write.
	RemoteWriteQueue RemoteWriteQueueConfig `mapstructure:"remote_write_queue"`

	// Fragment are keys of a prometheus.yml.
	promconfig.Fragment `mapstructure:",squash"`
}

// ReceiveConfig says what may be pushed to the listener.
type ReceiveConfig struct {
	// RemoteWrite answers POST /api/v1/write, versions 1.0 and 2.0. Default true.
	RemoteWrite bool `mapstructure:"remote_write"`
	// OTLP answers POST /api/v1/otlp/v1/metrics. Default true.
	OTLP bool `mapstructure:"otlp"`
}

// SelfMetricsConfig says how the store looks at itself.
type SelfMetricsConfig struct {
	// Interval is how often the metrics of the store and of the collector are stored, as jobs store and tailgate. 0 never.
	// Default 15s.
	Interval quantity.Duration `mapstructure:"interval"`
}

// RulesConfig configures rules.
type RulesConfig struct {
	// Builtin evaluates the generated rules. Default true.
	Builtin bool `mapstructure:"builtin"`
	// MaxConcurrency is how many rule queries run at once. Default 0: half of the processors, one at least.
	MaxConcurrency int `mapstructure:"max_concurrency"`
	// ExternalURL is where links in alerts begin. Default http://<http::endpoint>/.
	ExternalURL string `mapstructure:"external_url"`
	// Webhooks are told of each alert that begins or ends.
	Webhooks []WebhookConfig `mapstructure:"webhooks"`
}

// WebhookConfig is one receiver of alerts, in Alertmanager's webhook format.
type WebhookConfig struct {
	// Name tells webhooks apart in metrics and logs. Required.
	Name string `mapstructure:"name"`
	// OnlyFiring leaves out that alerts have ended. Default false.
	OnlyFiring bool `mapstructure:"only_firing"`
	// RetryFor is for how long a message is tried again. Default 5m.
	RetryFor quantity.Duration `mapstructure:"retry_for"`
	// HTTP has endpoint, tls, auth, headers, timeout (default 10s).
	HTTP confighttp.ClientConfig `mapstructure:"http"`
}

// RemoteWriteQueueConfig bounds the queue on disk that each remote_write server has.
type RemoteWriteQueueConfig struct {
	// Directory holds one folder per server. Default: remote_write in the store's directory.
	Directory string `mapstructure:"directory"`
	// MaxSize is how many bytes may wait for one server. Beyond it a store in mode server sends from the database when the
	// server is back; one in mode agent drops the oldest. Default 1GiB.
	MaxSize quantity.Bytes `mapstructure:"max_size"`
	// SyncInterval bounds what a power cut may take. Default 0: the system decides; kill -9 takes nothing either way.
	SyncInterval quantity.Duration `mapstructure:"sync_interval"`
}

// RetentionConfig says when blocks are deleted: when either limit is passed.
type RetentionConfig struct {
	// Time is how long samples are kept. Default 15d; at least 2h, the length of one block.
	Time quantity.Duration `mapstructure:"time"`
	// Size is how many bytes blocks may take on disk, the write-ahead log not included. Default 0, no limit.
	Size quantity.Bytes `mapstructure:"size"`
}

// QueryConfig limits queries.
type QueryConfig struct {
	// Timeout ends a query, waiting included. Default 2m.
	Timeout quantity.Duration `mapstructure:"timeout"`
	// MaxSamples is how many samples one query may hold in memory at 16 bytes each; beyond it the query is refused.
	// Default 50000000 (800 MB); a dashboard needs well under a million.
	MaxSamples int `mapstructure:"max_samples"`
	// MaxConcurrency is how many queries run at once; the rest wait. Default 4, so that a page full of panels leaves
	// the processors to the pipelines; stock Prometheus, which has a machine to itself, takes 20.
	MaxConcurrency int `mapstructure:"max_concurrency"`
	// LookbackDelta is how far an instant query looks back for a sample. Default 5m.
	LookbackDelta quantity.Duration `mapstructure:"lookback_delta"`
}

// ViewerConfig configures the dashboard viewer.
type ViewerConfig struct {
	// TraceURL opens a trace from an exemplar; {trace_id} is replaced, for example
	// http://localhost:16686/trace/{trace_id}. Default empty: the id can be copied.
	TraceURL string `mapstructure:"trace_url"`
}

// Unmarshal implements confmap.Unmarshaler. It checks the keys first, because a misspelt one under http would be ignored.
func (c *Config) Unmarshal(conf *confmap.Conf) error {
	if err := confkeys.Check(conf, c); err != nil {
		return err
	}
	return conf.Unmarshal(c)
}

// Validate reports every problem at once; each message starts with the key.
func (c *Config) Validate() error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Mode != ModeServer && c.Mode != ModeAgent {
		add("mode: unknown value %q%s", c.Mode, yamlkeys.DidYouMean(c.Mode, []string{ModeServer, ModeAgent}))
	}
	if strings.TrimSpace(c.Directory) == "" {
		add("directory: must name the folder that holds the data, for example data/prometheus")
	}
	if time.Duration(c.Retention.Time) < 2*time.Hour {
		add("retention::time: must be at least 2h, the length of one block, got %s", c.Retention.Time)
	}
	if c.Retention.Size < 0 {
		add("retention::size: must be 0 (no limit) or more bytes, got %d", c.Retention.Size)
	}
	if c.OutOfOrderTimeWindow < 0 {
		add("out_of_order_time_window: must be 0 (off) or more, got %s", c.OutOfOrderTimeWindow)
	}
	if c.MaxExemplars < 0 {
		add("max_exemplars: must be 0 (off) or more, got %d", c.MaxExemplars)
	}
	errs = append(errs, c.validateQuery()...)
	errs = append(errs, c.validateRules()...)
	errs = append(errs, c.validateFragment()...)
	if err := validTraceURL(c.Viewer.TraceURL); err != nil {
		add("viewer::trace_url: %w", err)
	}
	return errors.Join(errs...)
}

func (c *Config) validateQuery() []error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	q := c.Query
	if q.Timeout <= 0 {
		add("query::timeout: must be positive, got %s", q.Timeout)
	}
	if q.MaxSamples <= 0 {
		add("query::max_samples: must be positive, got %d", q.MaxSamples)
	}
	if q.MaxConcurrency <= 0 {
		add("query::max_concurrency: must be positive, got %d", q.MaxConcurrency)
	}
	if q.LookbackDelta <= 0 {
		add("query::lookback_delta: must be positive, got %s", q.LookbackDelta)
	}
	if w := c.HTTP.WriteTimeout; w > 0 && q.Timeout > 0 && w <= time.Duration(q.Timeout) {
		add("http::write_timeout: must be longer than query::timeout (%s), or slow queries end without an answer, got %s",
			q.Timeout, quantity.Duration(w))
	}
	if c.HTTP.NetAddr.Endpoint == "" {
		add("http::endpoint: must be an address to listen on, for example localhost:9090")
	}
	return errs
}

func (c *Config) validateRules() []error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.SelfMetrics.Interval < 0 {
		add("self_metrics::interval: must be 0 (off) or more, got %s", c.SelfMetrics.Interval)
	}
	if c.Rules.MaxConcurrency < 0 {
		add("rules::max_concurrency: must be 0 (half of the processors) or more, got %d", c.Rules.MaxConcurrency)
	}
	if u, err := url.Parse(c.Rules.ExternalURL); err != nil || c.Rules.ExternalURL != "" && u.Host == "" {
		add("rules::external_url: must be like https://metrics.example.com/, got %q", c.Rules.ExternalURL)
	}
	var names []string
	for i, hook := range c.Rules.Webhooks {
		key := fmt.Sprintf("rules::webhooks[%d]", i)
		if hook.Name == "" {
			add("%s::name: must be given, it tells webhooks apart", key)
		} else if slices.Contains(names, hook.Name) {
			add("%s::name: %q is there twice", key, hook.Name)
		}
		if u, err := url.Parse(hook.HTTP.Endpoint); err != nil || u.Host == "" {
			add("%s::http::endpoint: must be a URL like https://hooks.example.com/alerts, got %q", key, hook.HTTP.Endpoint)
		}
		names = append(names, hook.Name)
	}
	if c.RemoteWriteQueue.MaxSize < minQueue {
		add("remote_write_queue::max_size: must be at least %d bytes, got %d", int64(minQueue), int64(c.RemoteWriteQueue.MaxSize))
	}
	if c.RemoteWriteQueue.SyncInterval < 0 {
		add("remote_write_queue::sync_interval: must be 0 (off) or more, got %s", c.RemoteWriteQueue.SyncInterval)
	}
	return errs
}

// minQueue is the least that remotewrite works with: two segments.
const minQueue = 128 << 10

func (c *Config) validateFragment() []error {
	discard := slog.New(slog.DiscardHandler)
	prom, err := c.Load(discard)
	if err != nil {
		return []error{err}
	}
	var errs []error
	if c.Mode == ModeAgent {
		if len(prom.RemoteWriteConfigs) == 0 {
			errs = append(errs, errors.New("remote_write: must name a server in mode agent, which keeps nothing itself"))
		}
		if len(prom.RuleFiles) > 0 {
			errs = append(errs, errors.New("rule_files: there are no rules in mode agent, which has nothing to query; use mode server"))
		}
	}
	if c.SelfMetrics.Interval > 0 {
		for i, job := range prom.ScrapeConfigs {
			if job.JobName == storeJob || job.JobName == collectorJob {
				errs = append(errs, fmt.Errorf("scrape_configs[%d]: job_name: %q is the store's own name for self_metrics: "+
					"choose another, or set self_metrics::interval to 0s", i, job.JobName))
			}
		}
	}
	if _, err := ruling.LoadAlerting(c.Alerting, discard); err != nil {
		errs = append(errs, err)
	}
	if _, err := ruling.Load(ruling.Sources{Files: c.RuleFiles}, discard); err != nil {
		errs = append(errs, err)
	}
	return errs
}

func validTraceURL(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(strings.ReplaceAll(s, traceIDPlaceholder, "0"))
	switch {
	case err != nil:
		return fmt.Errorf("is not a URL: %w", err)
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("must start with http:// or https://, got %q", s)
	case !strings.Contains(s, traceIDPlaceholder):
		return fmt.Errorf("must contain %s where the id belongs, got %q", traceIDPlaceholder, s)
	}
	return nil
}
