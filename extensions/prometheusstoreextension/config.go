package prometheusstoreextension

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/confmap"

	"github.com/tailgate-otel/tailgate/internal/confkeys"

	"github.com/tailgate-otel/tailgate/internal/quantity"
)

const traceIDPlaceholder = "{trace_id}"

// Config is what a user writes under extensions::prometheusstore.
type Config struct {
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
