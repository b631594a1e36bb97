package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/tailgate-otel/tailgate/dashboards/defs"
	"github.com/tailgate-otel/tailgate/telemetry"
)

func runList(_ context.Context, args []string, out, errOut io.Writer) error {
	flags := flag.NewFlagSet("list", flag.ContinueOnError)
	flags.SetOutput(errOut)
	if err := parse(flags, args); err != nil {
		return ignoreHelp(err)
	}
	all, err := defs.All(telemetry.DefaultNaming)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, d := range all {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\n", d.UID, d.Title, d.Description)
		for _, r := range d.Rows {
			for _, p := range r.Panels {
				_, _ = fmt.Fprintf(w, "  %d\t%s\t%s\n", p.ID, r.Title, p.Title)
			}
		}
	}
	return w.Flush()
}
