// Package footprint weighs a collector with and without the embedded Prometheus: the program on disk, the process at
// rest, and the time until it takes exports. It builds both with the go command, from the root of the repository, and runs
// them one at a time; the processes belong to internal/supervise.
package footprint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/tailgate-otel/tailgate/internal/supervise"
	"github.com/tailgate-otel/tailgate/internal/testkit/procstat"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/stock"
)

// Weight is that of a program.
type Weight struct {
	Binary int64         // bytes, stripped
	Idle   int64         // resident bytes some time after the start
	Own    int64         // of them, those that are not pages of the program's file
	Ready  time.Duration // from the start until OTLP is taken
}

// settle is how long a program is left alone before it is weighed: the runtime gives memory of the start back meanwhile,
// and the store has looked at itself once, as it does every 15 s.
const settle = 20 * time.Second

// Programs are the two to compare.
type Programs struct{ Bare, WithStore string }

// Build builds them into a directory.
func Build(dir string) (Programs, error) {
	p := Programs{Bare: filepath.Join(dir, "bare"), WithStore: filepath.Join(dir, "withstore")}
	for _, program := range []string{p.Bare, p.WithStore} {
		cmd := exec.Command("go", "build", "-ldflags", "-s -w", "-o", program, "./test/benchstore/internal/footprint/"+filepath.Base(program))
		if out, err := cmd.CombinedOutput(); err != nil {
			return p, fmt.Errorf("build a collector to weigh (run this in the root of the repository): %w\n%s", err, out)
		}
	}
	return p, nil
}

// Weigh starts a program with a data directory of its own below dir, waits, weighs and stops it.
func Weigh(program, dir string, store bool) (w Weight, err error) {
	info, err := os.Stat(program)
	if err != nil {
		return w, fmt.Errorf("weigh a collector: %w", err)
	}
	w.Binary = info.Size()
	data, err := os.MkdirTemp(dir, "idle")
	if err != nil {
		return w, fmt.Errorf("directory of a collector: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	otlp, err := stock.FreeAddr()
	if err != nil {
		return w, err
	}
	api, err := stock.FreeAddr()
	if err != nil {
		return w, err
	}
	group := supervise.New(supervise.Settings{})
	began := time.Now()
	if err := group.Start(context.Background(), supervise.Child{
		Name: "collector", Path: program, Args: []string{"--config", "yaml:" + config(otlp, api, data, store)}, Ready: supervise.TCPReady(otlp),
	}); err != nil {
		return w, fmt.Errorf("start a collector: %w", err)
	}
	w.Ready = time.Since(began)
	defer func() { err = errors.Join(err, group.Stop(context.Background())) }()
	time.Sleep(settle)
	process := procstat.Process(group.PID("collector"))
	if w.Idle, err = process.RSS(); err != nil {
		return w, err
	}
	w.Own, err = process.Anonymous()
	return w, err
}

// config is OTLP in and out, with the store on the way if there is one. YAML takes JSON.
func config(otlp, api, data string, store bool) string {
	extensions, services, exporters, names := "", "", "", "otlp_http"
	if store {
		extensions = fmt.Sprintf(`"extensions": {"prometheusstore": {"directory": %q, "http": {"endpoint": %q}}},`, data, api)
		services = `"extensions": ["prometheusstore"],`
		exporters, names = `"prometheusstore": {},`, "prometheusstore"
	}
	return fmt.Sprintf(`{%s
"receivers": {"otlp": {"protocols": {"http": {"endpoint": %q}}}},
"exporters": {%s "otlp_http": {"endpoint": "http://127.0.0.1:9"}},
"service": {%s "telemetry": {"metrics": {"level": "none"}}, "pipelines": {"metrics": {"receivers": ["otlp"], "exporters": [%q]}}}}`,
		extensions, otlp, exporters, services, names)
}
