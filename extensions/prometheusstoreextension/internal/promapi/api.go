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
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/grafana/regexp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/route"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/scrape"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/template"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/util/features"
	"github.com/prometheus/prometheus/util/notifications"
	v1 "github.com/prometheus/prometheus/web/api/v1"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/dialect"
)

// Version is the Prometheus release whose code answers. Grafana reads it to decide which requests it may send; module
// v0.314.0 is release 3.14.0. A test compares it with the module that is linked.
const Version = "3.14.0"

// Prefix is where Handler must be mounted; upstream's routes are relative to it.
const Prefix = "/api/v1"

// Settings are what the API reads from and what it says about itself.
type Settings struct {
	// DB is nil for a store that only forwards; what reads it then answers as Prometheus does in agent mode.
	DB        *tsdb.DB
	Engine    promql.QueryEngine
	Metadata  scrape.MetricMetadataStore
	Gatherer  prometheus.Gatherer
	Logger    *slog.Logger
	Directory string
	// Address is where the API is reached, host:port; links to targets on this host use it.
	Address   string
	Retention string
	Flags     map[string]string
	// Product names the program around it, for example "tailgate 0.1.0".
	Product       string
	LookbackDelta time.Duration
	MaxSamples    int
	Started       time.Time

	// Config is the fragment of a prometheus.yml that the store runs on.
	Config config.Config
	// Admin opens the routes that delete series and take snapshots.
	Admin bool
	// RemoteWrite and OTLP say that others answer /write and /otlp/v1/metrics, for the list of features.
	RemoteWrite, OTLP bool
	Targets           Targets
	Rules             v1.RulesRetriever
	Alertmanagers     v1.AlertmanagerRetriever
	// Features collects what the parts of the store can do; Handler adds the API's own.
	Features features.Collector
}

// Targets is what is scraped; *scrape.Manager is one.
type Targets interface {
	v1.TargetRetriever
	v1.ScrapePoolsRetriever
}

// Handler returns the API under Prefix, without the routes by which samples come in: /write and /otlp/v1/metrics have
// handlers of their own, because upstream's give up a whole request for one bad sample.
func Handler(s Settings, registerer prometheus.Registerer) http.Handler {
	target := newPseudoTarget(s.Metadata, s.Targets)
	s.addFeatures()
	queryable, exemplars, stats := s.storage()
	flags := s.Flags
	if flags == nil {
		flags = map[string]string{}
	}
	api := v1.NewAPI(
		s.Engine,
		queryable,
		nil, nil, // appendables
		exemplars,
		func(context.Context) v1.ScrapePoolsRetriever { return s.Targets },
		target.retriever,
		func(context.Context) v1.AlertmanagerRetriever { return s.Alertmanagers },
		func() config.Config { return s.Config },
		flags,
		v1.GlobalURLOptions{ListenAddress: s.Address, Host: s.Address, Scheme: "http"},
		func(next http.HandlerFunc) http.HandlerFunc { return next }, // the listener answers only when the DB is open
		stats,
		s.Directory,
		s.Admin,
		false, 0, // enableSearch, maxSearchLimit
		s.Logger,
		func(context.Context) v1.RulesRetriever { return s.Rules },
		s.MaxSamples, remoteReadConcurrency, remoteReadBytesInFrame,
		s.DB == nil, // isAgent
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
		s.Features,
		v1.OpenAPIOptions{},
		dialect.Parser(),
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

// storage returns what the API reads. Without a database that is nothing.
func (s Settings) storage() (storage.SampleAndChunkQueryable, storage.ExemplarQueryable, v1.TSDBAdminStats) {
	if s.DB == nil {
		return nothing{}, nothing{}, nothing{}
	}
	return s.DB, s.DB, adminStats{s.DB}
}

// addFeatures names what the API can do, as a stock server does where it builds its web interface.
func (s Settings) addFeatures() {
	for name, on := range map[string]bool{
		"admin": s.Admin, "remote_write_receiver": s.RemoteWrite, "otlp_write_receiver": s.OTLP, "lifecycle": false, "search": false,
		"label_values_match": true, "query_warnings": true, "query_stats": true, "time_range_series": true,
		"time_range_labels": true, "exclude_alerts": true, "openapi_3.1": true, "openapi_3.2": true,
	} {
		s.Features.Set(features.API, name, on)
	}
	s.Features.Set(features.OTLPReceiver, "delta_conversion", s.OTLP)
	s.Features.Set(features.OTLPReceiver, "native_delta_ingestion", false)
	s.Features.Set(features.Prometheus, "agent_mode", s.DB == nil)
	s.Features.Set(features.Prometheus, "server_mode", s.DB != nil)
	s.Features.Enable(features.Prometheus, labels.ImplementationName)
	template.RegisterFeatures(s.Features)
}
