package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tailgate-otel/tailgate/internal/testkit/report"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/footprint"
)

// weights are runs of a collector without and with the store.
type weights struct{ bare, withStore []footprint.Weight }

// weigh builds both and takes turns.
func weigh(o options) (w weights, err error) {
	dir, err := os.MkdirTemp(o.dir, "weigh")
	if err != nil {
		return w, fmt.Errorf("directory of the collectors to weigh: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	programs, err := footprint.Build(dir)
	if err != nil {
		return w, err
	}
	for range o.runs {
		for _, p := range []struct {
			program string
			store   bool
			to      *[]footprint.Weight
		}{{programs.Bare, false, &w.bare}, {programs.WithStore, true, &w.withStore}} {
			one, err := footprint.Weigh(p.program, dir, p.store)
			if err != nil {
				return w, err
			}
			fmt.Printf("store %-5v %s, idle %s, ready after %s\n", p.store, report.MiB(float64(one.Binary)), report.MiB(float64(one.Idle)), one.Ready)
			*p.to = append(*p.to, one)
		}
	}
	return w, nil
}

// table compares the medians; there is none before something was weighed.
func (w weights) table() report.Table {
	t := report.Table{Header: []string{"collector of otlp and otlp_http", "without", "with the store", "more", "goal", "met"}}
	const mib = 1 << 20
	for _, row := range []struct {
		name   string
		figure func(footprint.Weight) float64
		format func(float64) string
		goal   string
		met    func(without, with float64) bool
	}{
		{
			"program, stripped", func(w footprint.Weight) float64 { return float64(w.Binary) }, report.MiB,
			"<= 25 MiB more", func(without, with float64) bool { return with-without <= 25*mib },
		},
		{
			"resident memory 20 s after the start", func(w footprint.Weight) float64 { return float64(w.Idle) }, report.MiB,
			"<= 20 MiB more", func(without, with float64) bool { return with-without <= 20*mib },
		},
		{
			"of it not pages of the program", func(w footprint.Weight) float64 { return float64(w.Own) }, report.MiB,
			"", nil,
		},
		{
			"ready after", func(w footprint.Weight) float64 { return w.Ready.Seconds() }, report.Unit("s"),
			"<= 1 s with it", func(_, with float64) bool { return with <= time.Second.Seconds() },
		},
	} {
		without, ok := median(w.bare, row.figure)
		with, okStore := median(w.withStore, row.figure)
		if ok && okStore {
			line := []string{row.name, row.format(without), row.format(with), row.format(with - without)}
			if row.met != nil {
				line = append(line, row.goal, yesNo(row.met(without, with)))
			}
			t.Rows = append(t.Rows, line)
		}
	}
	return t
}

func median[T any](runs []T, figure func(T) float64) (float64, bool) {
	var values []float64
	for _, r := range runs {
		values = append(values, figure(r))
	}
	return report.Median(values)
}
