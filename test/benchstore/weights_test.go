package main

import (
	"strings"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/test/benchstore/internal/footprint"
)

func TestWeightsAreComparedByTheirMedians(t *testing.T) {
	one := func(binary, idle int64, ready time.Duration) footprint.Weight {
		return footprint.Weight{Binary: binary << 20, Idle: idle << 20, Own: idle << 19, Ready: ready}
	}
	w := weights{
		bare:      []footprint.Weight{one(26, 30, 100*time.Millisecond), one(26, 90, time.Second), one(26, 32, 110*time.Millisecond)},
		withStore: []footprint.Weight{one(47, 55, 1100*time.Millisecond), one(47, 40, 300*time.Millisecond), one(47, 60, 1200*time.Millisecond)},
	}
	table := squeeze(w.table().String())
	for _, row := range []string{
		"| program, stripped | 26.0 MiB | 47.0 MiB | 21.0 MiB | <= 25 MiB more | yes |",
		"| resident memory 20 s after the start | 32.0 MiB | 55.0 MiB | 23.0 MiB | <= 20 MiB more | **no** |",
		"| of it not pages of the program | 16.0 MiB | 27.5 MiB | 11.5 MiB | | |",
		"| ready after | 0.11 s | 1.10 s | 0.99 s | <= 1 s with it | **no** |",
	} {
		if !strings.Contains(table, row) {
			t.Errorf("there is no row\n%s\nin\n%s", row, table)
		}
	}
	if rows := (weights{}).table().Rows; len(rows) != 0 {
		t.Errorf("nothing was weighed: %v", rows)
	}
}
