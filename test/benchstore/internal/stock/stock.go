// Package stock runs a stock Prometheus server, which takes samples in each of the ways that one has, and says what it
// costs. The process belongs to internal/supervise and dies with this one; Stop ends it and removes its data.
package stock

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/tailgate-otel/tailgate/internal/supervise"
	"github.com/tailgate-otel/tailgate/internal/testkit/procstat"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/api"
)

const name = "prometheus"

// Server is a running Prometheus.
type Server struct {
	*api.API
	Addr string // host:port

	group *supervise.Group
	dir   string
	log   bytes.Buffer // written by the group's copying only, read after Stop
}

// Binary finds the program: what the variable PROMETHEUS names, or what `make test-peers` has installed.
func Binary() (string, error) {
	path := os.Getenv("PROMETHEUS")
	if path == "" {
		path = filepath.Join(".cache", "tools", "prometheus")
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("no Prometheus to compare with: run `make test-peers`, which installs one, or name it by PROMETHEUS: %w", err)
	}
	full, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("PROMETHEUS: %w", err)
	}
	return full, nil
}

var versionLine = regexp.MustCompile(`version (\d\S*)`)

// Version is what the program says of itself. One built from the module is not told its version: then it is that of the
// module, where v0.314.0 is 3.14.0.
func Version(binary string) (string, error) {
	out, err := exec.Command(binary, "--version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", binary, err)
	}
	if found := versionLine.FindSubmatch(out); found != nil {
		return string(found[1]), nil
	}
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return "", fmt.Errorf("read the version of %s: %w", binary, err)
	}
	if info.Main.Path == "github.com/prometheus/prometheus" {
		return "of module " + info.Main.Version, nil
	}
	return "", fmt.Errorf("%s does not say its version: %q", binary, out)
}

// base is what every server has: the out-of-order window that ours has by default, which exemplars need too.
const base = "storage: {tsdb: {out_of_order_time_window: 10m}}\n"

// Start runs a server with a fresh directory below dir and more in its configuration, and waits until it is ready.
func Start(binary, dir, config string) (*Server, error) {
	addr, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	data, err := os.MkdirTemp(dir, name)
	if err != nil {
		return nil, fmt.Errorf("directory of the Prometheus server: %w", err)
	}
	file := filepath.Join(data, "prometheus.yml")
	if err := os.WriteFile(file, []byte(base+config), 0o600); err != nil {
		return nil, fmt.Errorf("configuration of the Prometheus server: %w", err)
	}
	s := &Server{API: api.TCP(addr), Addr: addr, dir: data}
	s.group = supervise.New(supervise.Settings{Output: &s.log})
	err = s.group.Start(context.Background(), supervise.Child{
		Name: name, Path: binary, ReadyURL: "http://" + addr + "/-/ready", Dir: data,
		Args: []string{
			"--config.file=" + file, "--storage.tsdb.path=" + filepath.Join(data, "data"), "--web.listen-address=" + addr,
			"--log.level=error", "--enable-feature=exemplar-storage",
			"--web.enable-otlp-receiver", "--web.enable-remote-write-receiver",
		},
	})
	if err != nil {
		return nil, fmt.Errorf("start Prometheus: %w", errors.Join(err, os.RemoveAll(data)))
	}
	return s, nil
}

// CPU is what the server has used since it was started.
func (s *Server) CPU() (time.Duration, error) { return procstat.Process(s.group.PID(name)).CPU() }

// RSS is its resident memory.
func (s *Server) RSS() (int64, error) { return procstat.Process(s.group.PID(name)).RSS() }

// Stop ends the server and removes what it stored. What the server complained about is an error: it may have cost CPU.
func (s *Server) Stop() error {
	s.Close()
	err := errors.Join(s.group.Stop(context.Background()), os.RemoveAll(s.dir))
	if err != nil {
		return fmt.Errorf("stop Prometheus: %w", err)
	}
	if said := strings.TrimSpace(s.log.String()); said != "" {
		return fmt.Errorf("Prometheus complained: %s", said)
	}
	return nil
}

// FreeAddr finds a port that nobody listens on.
func FreeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return addr, nil
}
