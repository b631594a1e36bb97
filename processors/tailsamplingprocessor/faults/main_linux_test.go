// Package faults tests the processor in processes of their own: killed at full load, on a full disk, with little memory.
// What can be tested in one process, with a fake clock, is in the processor's fault_*_test.go.
//
// A test starts its own binary again as a child that runs the processor; requests come in on its standard input, and
// each is acknowledged on its standard output after ConsumeTraces has returned nil. What the processor hands on is
// appended to a file. Both outlive the child, so that what was acknowledged and what was delivered can be compared.
package faults

import (
	"fmt"
	"os"
	"testing"
)

// partVar tells a child which part to play.
const partVar = "TAILGATE_FAULTS_PART"

func TestMain(m *testing.M) {
	part := os.Getenv(partVar)
	if part == "" {
		os.Exit(m.Run())
	}
	parts := map[string]func() error{"serve": serve, "fulldisk": fullDisk, "overload": overload}
	if err := parts[part](); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
