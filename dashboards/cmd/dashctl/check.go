package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/tailgate-otel/tailgate/dashboards/check"
	"github.com/tailgate-otel/tailgate/dashboards/rules/promself"
	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/upstream"
)

// outcome is what check found. It is what --json prints.
type outcome struct {
	check.Report
	Findings []check.Finding `json:"findings"`
}

func runCheck(ctx context.Context, args []string, out, errOut io.Writer) error {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	flags.SetOutput(errOut)
	dir := flags.String("dir", defaultDir, "folder with classic/, v2/ and rule files in rules/, or with dashboards themselves")
	prometheus := flags.String("prometheus", "", "execute every query on the Prometheus API at this URL, for instance http://127.0.0.1:9090")
	asJSON := flags.Bool("json", false, "print one JSON object")
	wait := flags.Duration("wait", 0, "with --prometheus: how long to wait until all panels have data")
	if err := parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	if *wait != 0 && *prometheus == "" {
		return fmt.Errorf("--wait needs --prometheus: without a server there is nothing to wait for")
	}
	dashboards, findings, err := check.Load(os.DirFS(*dir))
	if err != nil {
		return fmt.Errorf("load %s: %w", *dir, err)
	}
	linted, err := check.Lint(dashboards, contract(), telemetry.DefaultNaming)
	if err != nil {
		return err
	}
	rules, broken, err := check.LoadRules(os.DirFS(*dir))
	if err != nil {
		return fmt.Errorf("load rules of %s: %w", *dir, err)
	}
	findings = slices.Concat(findings, broken, check.LintRules(rules, dashboards, contract(), telemetry.DefaultNaming))
	result := outcome{Report: check.Report{Empty: []check.Empty{}}, Findings: append(append([]check.Finding{}, findings...), linted...)}
	if *prometheus != "" {
		if result.Report, err = execute(ctx, *prometheus, dashboards, *wait); err != nil {
			return err
		}
	}
	return result.print(out, *asJSON, len(dashboards)+len(rules), *prometheus != "")
}

func execute(ctx context.Context, server string, dashboards []check.Dashboard, wait time.Duration) (check.Report, error) {
	api, err := check.NewAPI(server)
	if err != nil {
		return check.Report{}, err
	}
	defer api.Close()
	return check.Execute(ctx, api, dashboards, check.Options{Wait: wait})
}

func (o outcome) print(w io.Writer, asJSON bool, files int, executed bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(o); err != nil {
			return err
		}
		return o.verdict()
	}
	for _, f := range o.Findings {
		_, _ = fmt.Fprintln(w, f)
	}
	for _, e := range o.Empty {
		_, _ = fmt.Fprintf(w, "%s: panel %q: no data: %s\n", e.Dashboard, e.Panel, e.Reason)
	}
	_, _ = fmt.Fprintf(w, "%d files checked, %d findings\n", files, len(o.Findings))
	if executed {
		_, _ = fmt.Fprintf(w, "%d queries executed, %d of %d panels have data\n", o.Queries, o.PanelsWithData, o.Panels)
	}
	return o.verdict()
}

func (o outcome) verdict() error {
	if len(o.Findings) > 0 || len(o.Empty) > 0 {
		return errFindings
	}
	return nil
}

// contract is everything that our dashboards may draw and our rules may read.
func contract() []telemetry.Metric {
	return slices.Concat(telemetry.Gateway(), telemetry.Store(), telemetry.Sampling(), upstream.All(), promself.All())
}
