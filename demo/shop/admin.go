package shop

import (
	"errors"
	"io"
	"net/http"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/demo/fault"
)

// newAdmin serves readiness, the addresses of the services and the faults in force.
func newAdmin(shop *Shop, faults *fault.Injector) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]string{"status": "ready"}) // all listeners were open before this one served
	})
	mux.HandleFunc("GET /services", func(w http.ResponseWriter, _ *http.Request) {
		addrs := make(map[string]string)
		for _, name := range Names() {
			addrs[name] = shop.Addr(name)
		}
		answer(w, http.StatusOK, addrs)
	})
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) {
		text, err := yaml.Marshal(faults.Config())
		if err != nil {
			fail(w, http.StatusInternalServerError, err.Error())
			return
		}
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(text) // the caller may be gone
	})
	mux.HandleFunc("PUT /faults", func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			var large *http.MaxBytesError
			status := http.StatusBadRequest
			if errors.As(err, &large) {
				status = http.StatusRequestEntityTooLarge
			}
			fail(w, status, err.Error())
			return
		}
		cfg, err := fault.Parse("request body", data, Routes())
		if err != nil {
			fail(w, http.StatusBadRequest, err.Error())
			return
		}
		faults.Set(cfg)
		w.WriteHeader(http.StatusNoContent)
	})
	return &http.Server{
		Handler:           http.NewCrossOriginProtection().Handler(mux), // no page in a browser may change the faults
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		IdleTimeout: time.Minute,
	}
}
