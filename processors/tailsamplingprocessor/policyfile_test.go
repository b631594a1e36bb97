package tailsamplingprocessor

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

func TestPoliciesFileIsReloaded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policies.yaml")
	write := func(text string) { require.NoError(t, os.WriteFile(file, []byte(text), 0o600)) }
	write(`policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]`)
	synctest.Test(t, func(t *testing.T) {
		sink := new(consumertest.TracesSink)
		p := startSampler(t, fmt.Sprintf("{decision_wait: 10s, policies_file: %q}", file), sink)
		require.NoError(t, p.ConsumeTraces(t.Context(), spans(ptrace.StatusCodeOk, 1, 1, 2)))
		require.NoError(t, p.ConsumeTraces(t.Context(), spans(ptrace.StatusCodeError, 2, 3)))

		write(`policies: [{name: fine, type: status_code, status_code: {status_codes: [OKAY]}}]`)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		assert.Equal(t, uint64(1), p.telemetry.reloads[reloadFailed].Load(), "a bad file leaves the old policies")
		assert.Equal(t, []string{"errors"}, p.telemetry.currentProgram().Names())

		write(`policies: [{name: fine, type: status_code, status_code: {status_codes: [OK]}}]`)
		time.Sleep(3 * time.Second)
		synctest.Wait()
		assert.Equal(t, uint64(1), p.telemetry.reloads[reloadDone].Load())

		// What was buffered before the reload is decided by the new policies.
		time.Sleep(5 * time.Second)
		synctest.Wait()
		assert.Equal(t, map[pcommon.TraceID]int{idOf(1): 2, idOf(2): 2}, kept(sink))
		stopSampler(t, p)
	})
}

func TestPoliciesFileAndPolicies(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	cfg.PoliciesFile = "policies.yaml"
	cfg.Policies = configFrom(t, errorsOnly).Policies
	assert.ErrorContains(t, cfg.Validate(), "policies_file: cannot be used together with policies or rules")
	cfg.Policies = nil
	assert.ErrorContains(t, cfg.Validate(), "policies_file: open policies.yaml")
}
