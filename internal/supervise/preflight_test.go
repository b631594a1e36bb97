package supervise_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/internal/supervise"
)

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	var out record
	g := supervise.New(supervise.Settings{Output: &out, Name: "stack"})
	first := child("collector", "polite")
	c := child("gateway", "polite")
	c.Ports = []supervise.Port{{Addr: freeAddr(t)}, {Addr: l.Addr().String(), Use: "HTTP"}}
	err = g.Start(t.Context(), first, c)
	var busy *supervise.PortError
	if !errors.As(err, &busy) {
		t.Fatalf("start: %v", err)
	}
	want := fmt.Sprintf("port %s, which gateway, HTTP needs, is in use by ", l.Addr())
	pid := fmt.Sprintf("(pid %d)", os.Getpid())
	if text := err.Error(); !strings.Contains(text, want) || !strings.Contains(text, pid) || strings.Contains(text, "\n") {
		t.Errorf("error %q lacks %q or %q", text, want, pid)
	}
	if out.String() != "" || len(g.Exits()) != 0 {
		t.Errorf("something was started all the same: %s", out.String())
	}
}

func TestManyPortsInUseAreStillOneLine(t *testing.T) {
	c := child("collector", "polite")
	for range 5 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		c.Ports = append(c.Ports, supervise.Port{Addr: l.Addr().String()})
	}
	err := supervise.Preflight(c)
	if err == nil || !strings.Contains(err.Error(), "and 2 more") || strings.Contains(err.Error(), "\n") {
		t.Errorf("preflight: %v", err)
	}
}

func TestPreflightRefuses(t *testing.T) {
	dir := t.TempDir()
	unreadable := filepath.Join(dir, "gateway")
	if err := os.WriteFile(unreadable, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	shared := []supervise.Port{{Addr: freeAddr(t)}}
	for _, tc := range []struct {
		name     string
		children []supervise.Child
		want     string
	}{
		{
			"missing binary with a make target",
			[]supervise.Child{{Name: "gateway", Path: filepath.Join(dir, "none"), MakeTarget: "build"}},
			"run `make build` first",
		},
		{"missing binary", []supervise.Child{{Name: "gateway", Path: filepath.Join(dir, "none")}}, "gateway: no executable " + filepath.Join(dir, "none")},
		{"not executable", []supervise.Child{{Name: "gateway", Path: unreadable}}, "permission denied"},
		{"not in PATH", []supervise.Child{{Name: "gateway", Path: "no-such-program-here"}}, "no executable no-such-program-here"},
		{
			"one port for two",
			[]supervise.Child{
				{Name: "a", Path: os.Args[0], Ports: shared}, {Name: "b", Path: os.Args[0], Ports: shared},
			},
			"is wanted by both a and b",
		},
		{
			"no such address",
			[]supervise.Child{{Name: "a", Path: os.Args[0], Ports: []supervise.Port{{Addr: "127.0.0.1:99999", Use: "OTLP"}}}},
			"port check for 127.0.0.1:99999 (a, OTLP)",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := supervise.Preflight(tc.children...); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("preflight: %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestStartRefusesDescriptionsThatCannotWork(t *testing.T) {
	g := supervise.New(supervise.Settings{})
	if err := g.Start(t.Context(), supervise.Child{Path: os.Args[0]}); err == nil {
		t.Error("a child without a name was started")
	}
	err := g.Start(t.Context(), child("twin", "polite"), child("twin", "polite"))
	if err == nil || !strings.Contains(err.Error(), `two children are named "twin"`) {
		t.Errorf("twins: %v", err)
	}
}

func TestTCPReady(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ready := supervise.TCPReady(l.Addr().String())
	if err := ready(context.Background()); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := ready(context.Background()); err == nil {
		t.Error("ready with nobody listening")
	}
}
