// Package admin serves the pages for the people who run the gateway: health, readiness, routes, endpoints, the state of
// the configuration, and Go's profiles. It shows internals, so it listens on a loopback address unless told otherwise.
//
// It only reads what others own. The goroutines are net/http's; Close ends them.
package admin

import (
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/proxy"
	"github.com/tailgate-otel/tailgate/gateway/reload"
	"github.com/tailgate-otel/tailgate/gateway/upstream"
	"github.com/tailgate-otel/tailgate/telemetry"
)

// Settings are what the pages show.
type Settings struct {
	Listen   string
	Version  string
	Ready    func() bool
	Snapshot func() *proxy.Snapshot
	Sets     func() []*upstream.Set
	Config   func() reload.Status
	Now      func() time.Time
	ErrorLog *log.Logger
}

// Server is the admin listener.
type Server struct {
	listener net.Listener
	server   *http.Server
	done     chan struct{}
}

// Listen starts serving.
func Listen(s Settings) (*Server, error) {
	l, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return nil, fmt.Errorf("admin: %w", err)
	}
	a := &Server{listener: l, done: make(chan struct{}), server: &http.Server{
		Handler: Handler(s), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: time.Minute,
		WriteTimeout: 10 * time.Minute, // a profile or an execution trace takes as long as it was asked to
		ErrorLog:     s.ErrorLog,
	}}
	go func() {
		defer close(a.done)
		_ = a.server.Serve(l) // ends with Close
	}()
	return a, nil
}

// Addr is the address of the listener.
func (a *Server) Addr() net.Addr { return a.listener.Addr() }

// Close ends the listener and its connections.
func (a *Server) Close() {
	_ = a.server.Close() // only an error of closing a socket that is given up anyway
	<-a.done
}

// Handler returns the pages.
func Handler(s Settings) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		text(w, http.StatusOK, "gateway "+s.Version+"\n\n/healthy\n/ready\n/routes\n/routes/explain?method=GET&url=http://shop.example/items/7\n/endpoints\n/config\n/debug/pprof/\n")
	})
	mux.HandleFunc("GET /healthy", func(w http.ResponseWriter, _ *http.Request) { text(w, http.StatusOK, "healthy\n") })
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		if s.Ready() {
			text(w, http.StatusOK, "ready\n")
			return
		}
		text(w, http.StatusServiceUnavailable, "draining\n")
	})
	mux.HandleFunc("GET /routes", func(w http.ResponseWriter, _ *http.Request) { reply(w, Routes(s.Snapshot())) })
	mux.HandleFunc("GET /routes/explain", func(w http.ResponseWriter, r *http.Request) { explain(w, r, s.Snapshot()) })
	mux.HandleFunc("GET /endpoints", func(w http.ResponseWriter, _ *http.Request) { reply(w, endpoints(s)) })
	mux.HandleFunc("GET /config", func(w http.ResponseWriter, _ *http.Request) { reply(w, configuration(s)) })
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

func text(w http.ResponseWriter, status int, s string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(s)) // the reader went away
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // the reader went away
}

type endpoint struct {
	Upstream string     `json:"upstream"`
	URL      string     `json:"url"`
	State    string     `json:"state"`
	InFlight int64      `json:"in_flight"`
	RetryAt  *time.Time `json:"retry_at,omitempty"`
}

func endpoints(s Settings) []endpoint {
	out := []endpoint{}
	for _, set := range s.Sets() {
		for _, e := range set.Endpoints() {
			line := endpoint{Upstream: set.Name, URL: e.URL.String(), State: telemetry.EndpointHealthy, InFlight: e.InFlight()}
			if at := e.RetryAt(); !at.IsZero() {
				line.State, line.RetryAt = telemetry.EndpointUnhealthy, &at
			}
			out = append(out, line)
		}
	}
	return out
}

type configState struct {
	File       string    `json:"file"`
	Version    string    `json:"version"`
	AppliedAt  time.Time `json:"applied_at"`
	AgeSeconds float64   `json:"age_seconds"`
	LastTry    time.Time `json:"last_try"`
	LastError  string    `json:"last_error,omitempty"`
}

func configuration(s Settings) configState {
	st := s.Config()
	out := configState{File: st.File, Version: st.Version, AppliedAt: st.AppliedAt, AgeSeconds: s.Now().Sub(st.AppliedAt).Seconds(), LastTry: st.LastTry}
	if st.LastError != nil {
		out.LastError = st.LastError.Error()
	}
	return out
}
