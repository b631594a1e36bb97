package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/tailgate-otel/tailgate/internal/testkit/report"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/scenario"
)

// goodbye is what a child gets to end by itself when loading it failed: Refinery, its own child, ends with it.
const goodbye = 20 * time.Second

// A launcher measures in child processes.
type launcher struct {
	refinery string // path of the program
}

// measure runs a spec in a child process and returns its result. What a child of the proxy kind sends on comes to a
// collector in this process, and must be what it kept; Refinery brings a sink of its own.
func (l launcher) measure(s scenario.Spec) (scenario.Result, error) {
	if s.Kind != scenario.Proxy || s.Engine == engineRefinery {
		return l.child(s)
	}
	collector, err := scenario.Collect()
	if err != nil {
		return scenario.Result{}, err
	}
	s.SendTo = collector.Endpoint()
	result, err := l.child(s)
	arrived, closing := collector.Close()
	if err := errors.Join(err, closing); err != nil {
		return result, err
	}
	if arrived != result.Kept {
		return result, fmt.Errorf("%s of %s: kept %+v, and %+v arrived", s.Kind, s.Engine, result.Kept, arrived)
	}
	return result, nil
}

// child starts this program again and reads the result from its output.
func (l launcher) child(s scenario.Spec) (scenario.Result, error) {
	var result scenario.Result
	spec, err := json.Marshal(s)
	if err != nil {
		return result, fmt.Errorf("describe a measurement: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return result, fmt.Errorf("find this program to start it again: %w", err)
	}
	cmd := exec.Command(self, "-child", string(spec), "-refinery", l.refinery)
	cmd.Stderr = os.Stderr
	cmd.Env = environment(s.Kind)
	toChild, err := cmd.StdinPipe()
	if err != nil {
		return result, fmt.Errorf("pipe to a child: %w", err)
	}
	fromChild, err := cmd.StdoutPipe()
	if err != nil {
		return result, fmt.Errorf("pipe from a child: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return result, fmt.Errorf("start a child: %w", err)
	}
	out := bufio.NewReader(fromChild)
	if s.Kind == scenario.HTTP || s.Kind == scenario.Proxy {
		if err := scenario.Load(s, toChild, out); err != nil {
			kill := time.AfterFunc(goodbye, func() { _ = cmd.Process.Kill() })
			defer kill.Stop()
			return result, errors.Join(err, toChild.Close(), cmd.Wait())
		}
	}
	decoding := json.NewDecoder(out).Decode(&result)
	if err := cmd.Wait(); err != nil {
		return result, fmt.Errorf("%s of %s: child: %w", s.Kind, s.Engine, err)
	}
	if decoding != nil {
		return result, fmt.Errorf("%s of %s: read the result: %w", s.Kind, s.Engine, decoding)
	}
	return result, nil
}

// environment limits a child: to one core where that is measured, and to the memory of the machine. Without a limit a
// heap of 11 GB, contrib's at 500,000 open traces, may grow to twice that before the next collection.
func environment(kind scenario.Kind) []string {
	env := os.Environ()
	if kind == scenario.Closed {
		env = append(env, "GOMAXPROCS=1")
	}
	if memory := report.Memory(); memory > 0 {
		env = append(env, fmt.Sprintf("GOMEMLIMIT=%d", memory/5*4))
	}
	return env
}
