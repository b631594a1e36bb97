package promserver

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/internal/supervise"
)

// Settings are how a server differs from one that has no configuration at all.
type Settings struct {
	// Dir is the data directory. Empty: a fresh one that goes with the test.
	Dir string
	// Config is the text of prometheus.yml. Empty: nothing is scraped, no rules.
	Config string
	// Flags are added to those that name configuration, directory and address.
	Flags []string
}

// Server is a running stock Prometheus.
type Server struct {
	*Process
	API API
	Dir string
}

// Start runs the server that PROMETHEUS names and waits until it is ready.
func Start(t testing.TB, s Settings) *Server {
	t.Helper()
	dir := s.Dir
	if dir == "" {
		dir = t.TempDir()
	}
	config := filepath.Join(t.TempDir(), "prometheus.yml")
	if err := os.WriteFile(config, []byte(s.Config), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", FreePort(t))
	server := &Server{API: API("http://" + addr), Dir: dir}
	server.Process = Run(t, supervise.Child{
		Name: "prometheus", Path: Binary(t, "PROMETHEUS"),
		Args: append([]string{
			"--config.file=" + config, "--storage.tsdb.path=" + dir, "--web.listen-address=" + addr, "--log.level=warn",
		}, s.Flags...),
		ReadyURL: string(server.API) + "/-/ready",
	})
	return server
}

// Binary is the path that an environment variable names. A test without it fails and says how to get it.
func Binary(t testing.TB, variable string) string {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Fatalf("%s is not set: run `make test-peers`, which builds the stock programs and names them", variable)
	}
	return path
}

// Promtool is one run of the stock tool.
type Promtool struct {
	Args  []string
	Dir   string // working directory; empty: the test's
	Stdin string
}

// Run returns what the tool wrote to both outputs, and its exit status.
func (p Promtool) Run(t testing.TB) (output string, status int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), Binary(t, "PROMTOOL"), p.Args...)
	cmd.Dir = p.Dir
	cmd.Stdin = strings.NewReader(p.Stdin)
	var both bytes.Buffer
	cmd.Stdout, cmd.Stderr = &both, &both
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatalf("promtool: %v", err)
	}
	return both.String(), cmd.ProcessState.ExitCode()
}
