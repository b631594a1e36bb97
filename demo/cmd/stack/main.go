// Command stack runs collector, gateway, demo shop and its customers as one foreground program; `make run` is this.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/tailgate-otel/tailgate/demo/stack"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	o := stack.Options{Out: os.Stdout, Addresses: stack.DefaultAddresses()}
	flags := flag.NewFlagSet("stack", flag.ContinueOnError)
	flags.DurationVar(&o.Duration, "duration", 0, "end after this time with a check of all dashboards; by default on Ctrl-C")
	flags.Float64Var(&o.Rate, "rate", 30, "requests per second of the customers")
	flags.StringVar(&o.Dist, "dist", "dist", "`folder` of the binaries")
	flags.StringVar(&o.ConfigDir, "config-dir", "config", "`folder` of quickstart.yaml and gateway.yaml")
	flags.StringVar(&o.Data, "data", "data", "`folder` for the store and the kept traces")
	flags.BoolVar(&o.NoLoad, "no-load", false, "no customers: the shop waits for you")
	flags.BoolVar(&o.Plain, "plain", false, "status as a line every ten seconds, also on a terminal")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "stack: %q is not a flag: flags begin with --\n", flags.Arg(0))
		return 2
	}
	ctx, hurry, release := interrupts()
	defer release()
	if err := stack.Run(ctx, hurry, o); err != nil {
		fmt.Fprintln(os.Stderr, "stack:", err)
		return 1
	}
	return 0
}

// interrupts returns a context that ends with the first SIGINT, SIGTERM or SIGHUP, and one that ends with the second.
func interrupts() (first, second context.Context, release func()) {
	first, end := context.WithCancel(context.Background())
	second, endNow := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2) // both, if they come in one go
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		for _, cancel := range []context.CancelFunc{end, endNow} {
			select {
			case <-signals:
				cancel()
			case <-done:
				return
			}
		}
	}()
	return first, second, func() {
		signal.Stop(signals)
		close(done)
		end()
		endNow()
	}
}
