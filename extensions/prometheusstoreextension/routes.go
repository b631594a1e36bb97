package prometheusstoreextension

import (
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/promapi"
	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/viewerweb"
)

// routes is everything the listener answers. What reads the database passes the gate; the rest does not, so that health
// and metrics are seen to the end.
func (s *store) routes(in *intake, registry *prometheus.Registry, logger *slog.Logger) (http.Handler, error) {
	viewer, err := newViewer(s.cfg.Viewer)
	if err != nil {
		return nil, err
	}
	api := promapi.Handler(promapi.Settings{
		DB:            in.db.DB,
		Engine:        in.db.engine,
		Metadata:      in.families,
		Gatherer:      registry,
		Logger:        logger,
		Directory:     s.cfg.Directory,
		Retention:     s.retention(),
		Flags:         s.flags(),
		Product:       s.settings.BuildInfo.Command + " " + s.settings.BuildInfo.Version,
		LookbackDelta: s.LookbackDelta(),
		MaxSamples:    s.cfg.Query.MaxSamples,
		Started:       time.Now().UTC(),
	}, registry)

	mux := http.NewServeMux()
	mux.Handle(promapi.Prefix+"/", in.gate.guard(api))
	mux.Handle(viewerweb.Prefix, viewer)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{Registry: registry}))
	mux.HandleFunc("GET /-/healthy", say("Tailgate's Prometheus store is healthy.\n"))
	mux.Handle("GET /-/ready", in.gate.guard(say("Tailgate's Prometheus store is ready.\n")))
	mux.Handle("GET /{$}", http.RedirectHandler(viewerweb.Prefix, http.StatusFound))
	return mux, nil
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
		"query.lookback-delta":        s.cfg.Query.LookbackDelta.String(),
		"query.max-concurrency":       strconv.Itoa(s.cfg.Query.MaxConcurrency),
		"query.max-samples":           strconv.Itoa(s.cfg.Query.MaxSamples),
		"query.timeout":               s.cfg.Query.Timeout.String(),
		"storage.tsdb.path":           s.cfg.Directory,
		"storage.tsdb.retention.size": strconv.FormatInt(int64(s.cfg.Retention.Size), 10) + "B",
		"storage.tsdb.retention.time": s.cfg.Retention.Time.String(),
		"web.enable-admin-api":        "false",
		"web.listen-address":          s.cfg.HTTP.NetAddr.Endpoint,
	}
}
