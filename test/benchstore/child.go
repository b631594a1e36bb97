package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/tailgate-otel/tailgate/test/benchstore/internal/measure"
)

// inChild starts this program again for one measurement.
func (o options) inChild(s measure.Spec) (measure.Result, error) {
	var result measure.Result
	spec, err := json.Marshal(s)
	if err != nil {
		return result, fmt.Errorf("describe a measurement: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return result, fmt.Errorf("find this program to start it again: %w", err)
	}
	cmd := exec.Command(self, "-child", string(spec), "-dir", o.dir)
	cmd.Env = append(os.Environ(), "PROMETHEUS="+o.prometheus)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return result, errors.New(strings.TrimPrefix(strings.TrimSpace(said.String()), "benchstore: "))
	}
	if err := json.Unmarshal(out, &result); err != nil {
		return result, fmt.Errorf("read the result of a measurement: %w", err)
	}
	return result, nil
}
