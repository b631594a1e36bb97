// Package promapi is the one place that calls Prometheus' NewAPI. Its signature of 42 positional arguments changed in
// v0.312, v0.313 and v0.316; kept here, an upgrade is one file. The handlers are upstream's own, because Grafana and
// promtool know their answers to the last field, and a re-implementation would save less than 1 MiB of binary.
//
// It owns nothing: database and engine stay with the caller, who must not close them while a request is in progress.
package promapi

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/grafana/regexp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/features"
	"github.com/prometheus/prometheus/util/notifications"
	v1 "github.com/prometheus/prometheus/web/api/v1"
)

// Version is the Prometheus release whose code answers. Grafana reads it to decide which requests it may send; module
// v0.314.0 is release 3.14.0. A test compares it with the module that is linked.
const Version = "3.14.0"

// Prefix is where Handler must be mounted; upstream's routes are relative to it.
const Prefix = "/api/v1"

// Settings are what the API reads from and what it says about itself.
type Settings struct {
	DB        *tsdb.DB
	Engine    promql.QueryEngine
	Metadata  scrape.MetricMetadataStore
	Gatherer  prometheus.Gatherer
	Logger    *slog.Logger
	Directory string
	Retention string
	Flags     map[string]string
	// Product names the program around it, for example "tailgate 0.1.0".
	Product       string
	LookbackDelta time.Duration
	MaxSamples    int
	Started       time.Time
}

// Handler returns the API under Prefix. It is complete but for what would change the data: remote write, OTLP and the
// admin routes answer that they are off.
func Handler(s Settings, registerer prometheus.Registerer) http.Handler {
	target := newPseudoTarget(s.Metadata)
	flags := s.Flags
	if flags == nil {
		flags = map[string]string{}
	}
	api := v1.NewAPI(
		s.Engine,
		s.DB,
		nil, nil, // appendables: remote write and OTLP come in through the pipeline, never here
		s.DB,
		func(context.Context) v1.ScrapePoolsRetriever { return noScrapePools{} },
		target.retriever,
		func(context.Context) v1.AlertmanagerRetriever { return noAlertmanagers{} },
		func() config.Config { return config.Config{} },
		flags,
		v1.GlobalURLOptions{},
		func(next http.HandlerFunc) http.HandlerFunc { return next }, // the listener answers only when the DB is open
		adminStats{s.DB},
		s.Directory,
		false,    // enableAdmin
		false, 0, // enableSearch, maxSearchLimit
		s.Logger,
		func(context.Context) v1.RulesRetriever { return noRules{} },
		s.MaxSamples, remoteReadConcurrency, remoteReadBytesInFrame,
		false, // isAgent
		noOrigin,
		s.runtimeInfo,
		s.version(),
		func() []notifications.Notification { return []notifications.Notification{} },
		func() (<-chan notifications.Notification, func(), bool) { return nil, nil, false },
		s.Gatherer,
		registerer,
		nil,        // statsRenderer: the default
		false, nil, // rwEnabled, acceptRemoteWriteProtoMsgs
		false, false, false, // otlpEnabled, otlpDeltaToCumulative, otlpNativeDeltaIngestion
		false, // stZeroIngestionEnabled
		s.LookbackDelta,
		false, // enableTypeAndUnitLabels
		false, // appendMetadata
		nil,   // overrideErrorCode
		features.NewRegistry(),
		v1.OpenAPIOptions{},
		parser.NewParser(parser.Options{}),
	)
	router := route.New()
	api.Register(router)
	return target.mark(http.StripPrefix(Prefix, router))
}

const (
	// Remote read limits as in a stock server's defaults.
	remoteReadConcurrency  = 10
	remoteReadBytesInFrame = 1 << 20
)

// noOrigin matches no Origin header: cross-origin access is decided by the listener's own cors settings.
var noOrigin = regexp.MustCompile(`^$`)

func (s Settings) version() *v1.PrometheusVersion {
	revision := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				revision = setting.Value
			}
		}
	}
	return &v1.PrometheusVersion{
		Version:   Version,
		Revision:  revision,
		Branch:    s.Product,
		GoVersion: runtime.Version(),
	}
}

func (s Settings) runtimeInfo() (v1.RuntimeInfo, error) {
	cwd, errDir := os.Getwd()
	hostname, errHost := os.Hostname()
	return v1.RuntimeInfo{
		StartTime:           s.Started,
		CWD:                 cwd,
		Hostname:            hostname,
		ServerTime:          time.Now().UTC(),
		ReloadConfigSuccess: true,
		LastConfigTime:      s.Started,
		GoroutineCount:      runtime.NumGoroutine(),
		GOMAXPROCS:          runtime.GOMAXPROCS(0),
		GOMEMLIMIT:          debug.SetMemoryLimit(-1),
		GOGC:                os.Getenv("GOGC"),
		GODEBUG:             os.Getenv("GODEBUG"),
		StorageRetention:    s.Retention,
	}, errors.Join(errDir, errHost)
}

// adminStats gives the API the statistics of a database. What would change data is switched off by enableAdmin and
// passes through for completeness of the interface.
type adminStats struct{ *tsdb.DB }

func (a adminStats) Stats(label string, limit int) (*tsdb.Stats, error) {
	return a.Head().Stats(label, limit), nil
}

// WALReplayStatus reports a replay that has ended: the API is served after the database was opened.
func (adminStats) WALReplayStatus() (tsdb.WALReplayStatus, error) {
	return tsdb.WALReplayStatus{}, nil
}

func (a adminStats) BlockMetas() ([]tsdb.BlockMeta, error) {
	return a.DB.BlockMetas(), nil
}

// pseudoTarget makes the metadata of pushed metrics visible to upstream's handlers, which read scrape targets only. It
// shows itself to the metadata routes and to no other, so that /targets stays the truth: nothing is scraped.
type pseudoTarget struct {
	active map[string][]*scrape.Target
}

func newPseudoTarget(store scrape.MetricMetadataStore) *pseudoTarget {
	target := scrape.NewTarget(labels.FromStrings(model.JobLabel, "pushed"), &config.ScrapeConfig{}, nil, nil)
	target.SetMetadataStore(store)
	return &pseudoTarget{active: map[string][]*scrape.Target{"pushed": {target}}}
}

type metadataRequest struct{}

// mark remembers in the context that a request asks for metadata; retriever gets nothing but the context.
func (*pseudoTarget) mark(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == Prefix+"/metadata" || r.URL.Path == Prefix+"/targets/metadata" {
			r = r.WithContext(context.WithValue(r.Context(), metadataRequest{}, true))
		}
		next.ServeHTTP(w, r)
	})
}

func (p *pseudoTarget) retriever(ctx context.Context) v1.TargetRetriever {
	if ctx.Value(metadataRequest{}) != nil {
		return targets(p.active)
	}
	return targets(nil)
}

type targets map[string][]*scrape.Target

func (t targets) TargetsActive() map[string][]*scrape.Target { return t }

func (targets) TargetsDropped() map[string][]*scrape.Target { return nil }

func (targets) TargetsDroppedCounts() map[string]int { return map[string]int{} }

func (targets) ScrapePoolConfig(string) (*config.ScrapeConfig, error) {
	return nil, errors.New("this store scrapes no targets")
}

type noScrapePools struct{}

func (noScrapePools) ScrapePools() []string { return []string{} }

type noAlertmanagers struct{}

func (noAlertmanagers) Alertmanagers() []*url.URL { return nil }

func (noAlertmanagers) DroppedAlertmanagers() []*url.URL { return nil }

type noRules struct{}

func (noRules) RuleGroups() []*rules.Group { return nil }

func (noRules) AlertingRules() []*rules.AlertingRule { return nil }
