package stack

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Panels is the answer of `dashctl check --prometheus … --json`.
type Panels struct {
	Panels   int          `json:"panels"`
	WithData int          `json:"panelsWithData"`
	Empty    []EmptyPanel `json:"empty"`
}

// EmptyPanel is a panel that draws nothing.
type EmptyPanel struct {
	Dashboard string `json:"dashboard"`
	Panel     string `json:"panel"`
	Reason    string `json:"reason"`
}

// panelsTimeout is generous for some hundred queries on loopback.
const panelsTimeout = 60 * time.Second

// checkPanels has dashctl execute every query of the dashboards. Its exit status tells of empty panels, which is no
// error here: a run of ten seconds has panels without data.
func checkPanels(ctx context.Context, dashctl, storeURL string) (*Panels, error) {
	ctx, cancel := context.WithTimeout(ctx, panelsTimeout)
	defer cancel()
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, dashctl, "check", "--prometheus", storeURL, "--json", "--wait", "5s")
	cmd.Stdout, cmd.Stderr = &out, &errOut
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return nil, fmt.Errorf("check the dashboards: %w", err)
	}
	var p Panels
	if jsonErr := json.Unmarshal(out.Bytes(), &p); jsonErr != nil {
		said := strings.Join(strings.Fields(errOut.String()), " ")
		return nil, fmt.Errorf("check the dashboards: %s gave no report: %w: %s", dashctl, cmp.Or(err, jsonErr), said)
	}
	if p.Panels == 0 {
		return nil, fmt.Errorf("check the dashboards: %s found no panels: run it where dashboards/dist is", dashctl)
	}
	return &p, nil
}
