// Command gateway is the HTTP gateway of Tailgate. Without a subcommand it serves until SIGINT or SIGTERM, then drains;
// a second signal cuts the drain short; SIGHUP reads the configuration again. See gateway/README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"text/tabwriter"

	"github.com/tailgate-otel/tailgate/gateway"
	"github.com/tailgate-otel/tailgate/gateway/admin"
	"github.com/tailgate-otel/tailgate/internal/yamlkeys"
)

// version is set by the build with -ldflags "-X main.version=…".
var version string

// errUsage asks for exit code 2.
var errUsage = errors.New("usage")

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	command := "serve"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		command, args = args[0], args[1:]
	}
	commands := map[string]func([]string, io.Writer, io.Writer) error{"serve": serve, "validate": validate, "routes": routes, "version": printVersion}
	do, ok := commands[command]
	if !ok {
		_, _ = fmt.Fprintf(stderr, "gateway: unknown command %q%s\n", command, yamlkeys.DidYouMean(command, []string{"serve", "validate", "routes", "version"}))
		return errUsage
	}
	return do(args, stdout, stderr)
}

func newFlags(name, about string, stderr io.Writer) (*flag.FlagSet, *string) {
	fs := flag.NewFlagSet("gateway "+name, flag.ContinueOnError)
	fs.SetOutput(stderr)
	file := fs.String("config", "gateway.yaml", "the configuration `file`")
	fs.Usage = func() {
		_, _ = fmt.Fprintf(stderr, "gateway %s: %s\n\nCommands: serve (default), validate, routes, version\n\nFlags:\n", name, about)
		fs.PrintDefaults()
	}
	return fs, file
}

func parse(fs *flag.FlagSet, args []string) error {
	if err := fs.Parse(args); err != nil {
		return errUsage // the flag set has said why
	}
	if fs.NArg() > 0 {
		_, _ = fmt.Fprintf(fs.Output(), "%s: unexpected argument %q\n", fs.Name(), fs.Arg(0))
		return errUsage
	}
	return nil
}

func serve(args []string, _, stderr io.Writer) error {
	fs, file := newFlags("serve", "serve requests until a signal", stderr)
	listen := fs.String("listen", "", "the `address` for clients; replaces that of the file")
	adminAddr := fs.String("admin", "", "the `address` of the admin pages; replaces that of the file")
	if err := parse(fs, args); err != nil {
		return err
	}
	signals := make(chan os.Signal, 4) // one of each kind we ask for, and room for an impatient second
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	g, err := gateway.Start(context.Background(), gateway.Settings{ConfigFile: *file, Listen: *listen, Admin: *adminAddr, Version: buildVersion(), Stderr: stderr})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	cut, cutShort := context.WithCancel(context.Background())
	defer cutShort()
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx, cut) }()
	for {
		select {
		case err := <-done:
			return err
		case s := <-signals:
			switch {
			case s == syscall.SIGHUP:
				g.Reload()
			case ctx.Err() == nil:
				stop()
			default:
				cutShort()
			}
		}
	}
}

func validate(args []string, stdout, stderr io.Writer) error {
	fs, file := newFlags("validate", "say everything that is wrong with a configuration file", stderr)
	if err := parse(fs, args); err != nil {
		return err
	}
	c, err := gateway.Check(*file)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s is valid: %d routes, %d upstreams\n", *file, len(c.Routes), len(c.Upstreams))
	return err
}

func routes(args []string, stdout, stderr io.Writer) error {
	fs, file := newFlags("routes", "print the route table of a configuration file", stderr)
	if err := parse(fs, args); err != nil {
		return err
	}
	snap, err := gateway.Snapshot(*file)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(stdout, 0, 4, 2, ' ', 0)
	_, _ = fmt.Fprintln(w, "NAME\tHOST\tPATH\tMETHODS\tCONDITIONS\tUPSTREAM\tTIMEOUT") // Flush reports what goes wrong
	for _, r := range admin.Routes(snap) {
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, r.Host, r.Path, orDash(r.Methods), orDash(r.Conditions()), r.Upstream, r.Timeout)
	}
	return w.Flush()
}

func orDash(words []string) string {
	if len(words) == 0 {
		return "-"
	}
	return strings.Join(words, ",")
}

func printVersion(_ []string, stdout, _ io.Writer) error {
	_, err := fmt.Fprintf(stdout, "gateway %s (%s, %s/%s)\n", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// buildVersion is the version of the release, or the revision that the build was made from.
func buildVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return "devel-" + s.Value[:12]
		}
	}
	return "devel"
}
