package main

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"time"

	"github.com/tailgate-otel/tailgate/demo/load"
)

func runLoad(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("demo load", flag.ContinueOnError)
	s := load.Settings{Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	flags.StringVar(&s.Gateway, "gateway", "http://127.0.0.1:8080", "base `URL` of the shop")
	flags.BoolVar(&s.AllowRemote, "allow-remote", false, "permit a gateway that is not on this machine")
	flags.Float64Var(&s.Rate, "rate", 30, "requests per second")
	flags.DurationVar(&s.Duration, "duration", 0, "end after this time")
	flags.IntVar(&s.Requests, "requests", 0, "end after this `number` of requests")
	flags.IntVar(&s.Concurrency, "concurrency", 16, "`number` of requests that may be in flight")
	flags.Uint64Var(&s.Seed, "seed", 1, "`number` that decides what the customers do")
	flags.DurationVar(&s.Timeout, "timeout", 15*time.Second, "of one request")
	flags.StringVar(&s.Fault, "fault", "", "`directives` for X-Demo-Fault on every --fault-every-th checkout; all else then goes well")
	flags.IntVar(&s.FaultEvery, "fault-every", 0, "see --fault")
	file := flags.String("report", "", "`file` for the report in JSON")
	if err := parse(flags, args); err != nil {
		return err
	}
	report, err := load.Run(ctx, s)
	if report == nil {
		return err
	}
	s.Log.Info("load is over", "seconds", report.Seconds, "requests", report.Requests, "5xx", report.ByClass["5xx"],
		"unanswered", report.Requests-report.Answered, "p50", report.Latency.P50.String(), "p99", report.Latency.P99.String())
	if *file != "" {
		if writeErr := report.Write(*file); writeErr != nil {
			return writeErr
		}
	}
	return err
}
