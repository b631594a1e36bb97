package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommands(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("listn: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name     string
		args     []string
		out, err string // parts of standard output, of standard error or the error
		usage    bool
	}{
		{"validate good", []string{"validate", "--config", "../../../config/gateway.yaml"}, "is valid: 8 routes, 5 upstreams", "", false},
		{"validate bad", []string{"validate", "--config", bad}, "", `bad.yaml:1: listn: unknown key; did you mean "listen"?`, false},
		{"serve bad", []string{"--config", bad}, "", `bad.yaml:1: listn: unknown key`, false},
		{"serve nothing", []string{"--config", "none.yaml"}, "", "none.yaml: no such file; name the gateway's configuration with --config", false},
		{"routes", []string{"routes", "--config", "../../../config/gateway.yaml"}, "catalog-product   *     /api/catalog/products/{id}  GET,HEAD  -           catalog     5s", "", false},
		{"version", []string{"version"}, "gateway devel", "", false},
		{"unknown command", []string{"valdate"}, "", `unknown command "valdate"; did you mean "validate"?`, true},
		{"unknown flag", []string{"validate", "--confg", "x"}, "", "flag provided but not defined: -confg", true},
		{"stray argument", []string{"validate", "x.yaml"}, "", `unexpected argument "x.yaml"`, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			err := run(tc.args, &stdout, &stderr)
			said := stderr.String()
			if err != nil {
				said += err.Error()
			}
			if !strings.Contains(stdout.String(), tc.out) || !strings.Contains(said, tc.err) || (err != nil) != (tc.err != "") || errors.Is(err, errUsage) != tc.usage {
				t.Errorf("standard output %q, standard error %q, error %v", stdout.String(), stderr.String(), err)
			}
		})
	}
}
