package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tailgate-otel/tailgate/dashboards/defs"
	"github.com/tailgate-otel/tailgate/dashboards/emit"
	"github.com/tailgate-otel/tailgate/dashboards/rules"
	"github.com/tailgate-otel/tailgate/telemetry"
)

// defaultDir is where the generated files are committed, seen from the root of the repository.
const defaultDir = "dashboards/dist"

func runGen(_ context.Context, args []string, out, errOut io.Writer) error {
	flags := flag.NewFlagSet("gen", flag.ContinueOnError)
	flags.SetOutput(errOut)
	dir := flags.String("out", defaultDir, "folder to write classic/, v2/, rules/ and prometheusrule/ to")
	runbooks := flags.String("runbooks", rules.DefaultRunbooks, "what stands before <alert>.md in runbook_url; an address where docs/runbooks is served makes it a link")
	check := flags.Bool("check", false, "write nothing; fail when a file differs from what would be written")
	if err := parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	files, err := generate(*runbooks)
	if err != nil {
		return err
	}
	if *check {
		return compare(*dir, files, out)
	}
	return write(*dir, files, out)
}

// generate returns every file by its path.
func generate(runbooks string) (map[string][]byte, error) {
	all, err := defs.All(telemetry.DefaultNaming)
	if err != nil {
		return nil, err
	}
	files, err := emit.Files(all)
	if err != nil {
		return nil, err
	}
	ruleFiles, err := rules.All(telemetry.DefaultNaming)
	if err != nil {
		return nil, err
	}
	texts, err := rules.Emit(ruleFiles, runbooks)
	if err != nil {
		return nil, err
	}
	maps.Copy(files, texts)
	return files, nil
}

// compare names every file that is missing, differs, or should not be there.
func compare(dir string, files map[string][]byte, out io.Writer) error {
	var stale []string
	for _, path := range sortedKeys(files) {
		have, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(path)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			stale = append(stale, path+": missing")
		case err != nil:
			return err
		case !bytes.Equal(have, files[path]):
			stale = append(stale, path+": "+firstDifference(have, files[path]))
		}
	}
	left, err := leftovers(dir, files)
	if err != nil {
		return err
	}
	for _, path := range left {
		stale = append(stale, path+": nothing of that name is defined any more")
	}
	if len(stale) == 0 {
		_, err := fmt.Fprintf(out, "%d files up to date\n", len(files))
		return err
	}
	_, _ = fmt.Fprintf(out, "%s in %s\nrun `dashctl gen --out %s` and commit the result\n", strings.Join(stale, "\n"), dir, dir)
	return errFindings
}

func firstDifference(have, want []byte) string {
	a, b := strings.Split(string(have), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d is %q, generated is %q", i+1, strings.TrimSpace(a[i]), strings.TrimSpace(b[i]))
		}
	}
	return fmt.Sprintf("has %d lines, generated has %d", len(a), len(b))
}

// patterns are where generated files lie.
func patterns() []string {
	return []string{"classic/*.json", "v2/*.json", rules.PlainFolder + "/*.yaml", rules.ResourceFolder + "/*.yaml"}
}

// leftovers lists files in the folders of generated ones that nothing writes any more.
func leftovers(dir string, files map[string][]byte) ([]string, error) {
	var out []string
	for _, pattern := range patterns() {
		found, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if name := path.Join(path.Dir(pattern), filepath.Base(f)); files[name] == nil {
				out = append(out, name)
			}
		}
	}
	return out, nil
}

func write(dir string, files map[string][]byte, out io.Writer) error {
	for _, path := range sortedKeys(files) {
		full := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(full, files[path], 0o644); err != nil {
			return err
		}
	}
	left, err := leftovers(dir, files)
	if err != nil {
		return err
	}
	for _, path := range left {
		if err := os.Remove(filepath.Join(dir, filepath.FromSlash(path))); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(out, "wrote %d files to %s\n", len(files), dir)
	return err
}

func sortedKeys(files map[string][]byte) []string {
	keys := make([]string, 0, len(files))
	for k := range files {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// parse reads flags and refuses arguments that are none.
func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q: everything is given by flags", flags.Arg(0))
	}
	return nil
}

// ignoreHelp: --help has written its text and is no failure.
func ignoreHelp(err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	return err
}
