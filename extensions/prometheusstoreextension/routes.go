package prometheusstoreextension

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/federation"
	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/ingestpage"
	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/promapi"
	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/receiving"
	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/viewerweb"
	"github.com/tailgate-otel/tailgate/internal/promfront"
)

// routes is everything the listener answers. What reads or writes the database passes the gate; the rest does not, so that
// health and metrics are seen to the end.
func (s *store) routes(run *running) (http.Handler, error) {
	viewer, err := newViewer(s.cfg.Viewer)
	if err != nil {
		return nil, err
	}
	gate := run.intake.gate
	mux := http.NewServeMux()
	mux.Handle(promapi.Prefix+"/", gate.guard(promapi.Handler(s.apiSettings(run), run.registry)))
	if s.cfg.Receive.RemoteWrite {
		mux.Handle("POST "+promapi.Prefix+"/write", receiving.NewRemoteWrite(receiving.Settings{
			Sink:       run.intake,
			Reason:     refusalReason,
			Describe:   run.intake.families.Record,
			Registerer: run.registry,
			Logger:     run.logger,
		}))
	}
	if s.cfg.Receive.OTLP {
		mux.Handle("POST "+promapi.Prefix+"/otlp/v1/metrics", &receiving.OTLP{Front: run.front, Logger: run.logger})
	}
	if run.db != nil {
		mux.Handle("GET /federate", gate.guard(&federation.Handler{
			Queryable:      run.db,
			ExternalLabels: run.prom.GlobalConfig.ExternalLabels,
			Lookback:       s.LookbackDelta(),
			Now:            time.Now,
			Logger:         run.logger,
		}))
	}
	mux.Handle("GET /debug/ingest", ingestpage.Sources{Fronts: s.writers.all, Senders: run.senders})
	mux.Handle(viewerweb.Prefix, viewer)
	mux.Handle("GET /metrics", promhttp.HandlerFor(run.registry, promhttp.HandlerOpts{Registry: run.registry}))
	mux.HandleFunc("GET /-/healthy", say("Tailgate's Prometheus store is healthy.\n"))
	mux.Handle("GET /-/ready", gate.guard(say("Tailgate's Prometheus store is ready.\n")))
	mux.Handle("GET /graph", http.RedirectHandler(viewerweb.Prefix, http.StatusFound)) // where links in alerts lead
	mux.Handle("GET /{$}", http.RedirectHandler(viewerweb.Prefix, http.StatusFound))
	return mux, nil
}

func refusalReason(err error) (string, bool) {
	reason, aboutSample := promfront.ReasonOf(err)
	return reason.String(), aboutSample
}

func (s *store) apiSettings(run *running) promapi.Settings {
	settings := promapi.Settings{
		Metadata:      run.intake.families,
		Gatherer:      run.registry,
		Logger:        run.logger,
		Directory:     s.cfg.Directory,
		Address:       s.address(),
		Retention:     s.retention(),
		Flags:         s.flags(),
		Product:       s.settings.BuildInfo.Command + " " + s.settings.BuildInfo.Version,
		LookbackDelta: s.LookbackDelta(),
		MaxSamples:    s.cfg.Query.MaxSamples,
		Started:       time.Now().UTC(),
		Config:        *run.prom,
		Admin:         s.cfg.AdminAPI,
		RemoteWrite:   s.cfg.Receive.RemoteWrite,
		OTLP:          s.cfg.Receive.OTLP,
		Targets:       run.scraper,
		Features:      run.abilities,
	}
	if run.db != nil {
		settings.DB, settings.Engine = run.db.DB, run.db.engine
		settings.Rules, settings.Alertmanagers = run.rules, run.rules
	}
	return settings
}

// guard answers 503 once the store is shutting down.
func (g *gate) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.enter() {
			http.Error(w, "the store is shutting down", http.StatusServiceUnavailable)
			return
		}
		defer g.leave()
		next.ServeHTTP(w, r)
	})
}

func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, text) // the client has gone; there is nobody to tell
	}
}

func (s *store) retention() string {
	text := s.cfg.Retention.Time.String()
	if size := s.cfg.Retention.Size; size > 0 {
		text += " or " + strconv.FormatInt(int64(size), 10) + " bytes"
	}
	return text
}

// flags shows the settings under the names that a Prometheus has for them, for tools that read /api/v1/status/flags.
func (s *store) flags() map[string]string {
	return map[string]string{
		"query.lookback-delta":             s.cfg.Query.LookbackDelta.String(),
		"query.max-concurrency":            strconv.Itoa(s.cfg.Query.MaxConcurrency),
		"query.max-samples":                strconv.Itoa(s.cfg.Query.MaxSamples),
		"query.timeout":                    s.cfg.Query.Timeout.String(),
		"storage.tsdb.path":                s.cfg.Directory,
		"storage.tsdb.retention.size":      strconv.FormatInt(int64(s.cfg.Retention.Size), 10) + "B",
		"storage.tsdb.retention.time":      s.cfg.Retention.Time.String(),
		"web.enable-admin-api":             strconv.FormatBool(s.cfg.AdminAPI),
		"web.enable-otlp-receiver":         strconv.FormatBool(s.cfg.Receive.OTLP),
		"web.enable-remote-write-receiver": strconv.FormatBool(s.cfg.Receive.RemoteWrite),
		"web.listen-address":               s.cfg.HTTP.NetAddr.Endpoint,
	}
}
