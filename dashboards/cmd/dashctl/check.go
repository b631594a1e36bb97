package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/tailgate-otel/tailgate/dashboards/check"
	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/upstream"
)

func runCheck(ctx context.Context, args []string, out, errOut io.Writer) error {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	flags.SetOutput(errOut)
	dir := flags.String("dir", defaultDir, "folder with classic/ and v2/")
	if err := parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	dashboards, findings, err := check.Load(os.DirFS(*dir))
	if err != nil {
		return fmt.Errorf("load %s: %w", *dir, err)
	}
	linted, err := check.Lint(dashboards, contract(), telemetry.DefaultNaming)
	if err != nil {
		return err
	}
	findings = append(findings, linted...)
	for _, f := range findings {
		fmt.Fprintln(out, f)
	}
	if len(findings) > 0 {
		return errFindings
	}
	return nil
}

func contract() []telemetry.Metric {
	all := append(telemetry.Gateway(), telemetry.Store()...)
	return append(all, upstream.All()...)
}
