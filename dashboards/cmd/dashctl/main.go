// Command dashctl generates the dashboards and checks them, against the contract and against a running Prometheus.
//
// Exit status: 0 when all is well; 1 when gen --check finds a stale file, or check has findings or panels without data;
// 2 when the command could not do its work (wrong usage, unreadable files, unreachable Prometheus).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sort"
	"strings"
	"syscall"

	"github.com/agnivade/levenshtein"
)

// Exit statuses.
const (
	exitOK       = 0
	exitFindings = 1
	exitUsage    = 2
)

// errFindings says that the command worked and its answer is no. What it found is written already.
var errFindings = errors.New("findings")

// command is one verb of dashctl.
type command struct {
	help string
	run  func(ctx context.Context, args []string, out, errOut io.Writer) error
}

func commands() map[string]command {
	return map[string]command{
		"gen":   {"write the dashboards; with --check only compare them", runGen},
		"check": {"check emitted dashboards; with --prometheus execute every query too", runCheck},
		"list":  {"list the dashboards with their panels", runList},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	all := commands()
	if len(args) == 0 || args[0] == "-h" || args[0] == "--help" || args[0] == "help" {
		usage(errOut, all)
		if len(args) == 0 {
			return exitUsage
		}
		return exitOK
	}
	c, ok := all[args[0]]
	if !ok {
		_, _ = fmt.Fprintf(errOut, "dashctl: unknown command %q; did you mean %q?\n", args[0], nearest(args[0], all))
		usage(errOut, all)
		return exitUsage
	}
	switch err := c.run(ctx, args[1:], out, errOut); {
	case err == nil:
		return exitOK
	case errors.Is(err, errFindings):
		return exitFindings
	default:
		_, _ = fmt.Fprintf(errOut, "dashctl %s: %v\n", args[0], err)
		return exitUsage
	}
}

func usage(w io.Writer, all map[string]command) {
	_, _ = fmt.Fprintln(w, "usage: dashctl <command> [flags]; dashctl <command> --help shows the flags")
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		_, _ = fmt.Fprintf(w, "  %-6s %s\n", name, all[name].help)
	}
}

func nearest(word string, all map[string]command) string {
	best, distance := "", 1<<30
	for name := range all {
		if d := levenshtein.ComputeDistance(strings.ToLower(word), name); d < distance || d == distance && name < best {
			best, distance = name, d
		}
	}
	return best
}
