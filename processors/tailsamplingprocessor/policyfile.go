package tailsamplingprocessor

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.uber.org/zap"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor/pkg/samplingpolicy"
	"github.com/tailgate-otel/tailgate/internal/policy"
)

// policyFile is what policies_file holds: the two keys that it stands in for.
type policyFile struct {
	Policies []policy.Config     `mapstructure:"policies"`
	Rules    []policy.RuleConfig `mapstructure:"rules"`
}

// readPolicyFile reads and decodes path. sum tells contents apart.
func readPolicyFile(path string) (f policyFile, sum [sha256.Size]byte, err error) {
	content, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return f, sum, fmt.Errorf("policies_file: %w", err)
	}
	sum = sha256.Sum256(content)
	retrieved, err := confmap.NewRetrievedFromYAML(content)
	if err != nil {
		return f, sum, fmt.Errorf("policies_file: %s: %w", path, err)
	}
	conf, err := retrieved.AsConf()
	if err != nil {
		return f, sum, fmt.Errorf("policies_file: %s: want the keys policies and rules: %w", path, err)
	}
	if err := conf.Unmarshal(&f); err != nil {
		return f, sum, fmt.Errorf("policies_file: %s: %w", path, err)
	}
	return f, sum, nil
}

// policySettings is what the policies, inline or in the file, are compiled from.
func (c *Config) policySettings() (*policy.Settings, error) {
	set := &policy.Settings{
		Policies:      c.Policies,
		Rules:         c.Rules,
		Strategy:      c.SamplingStrategy,
		FirstMatch:    c.SampleOnFirstMatch,
		UseTraceState: gateUseTraceState.enabled(),
		RecordPolicy:  gateRecordPolicy.enabled() || c.RecordDecision,
	}
	if c.PoliciesFile == "" {
		return set, nil
	}
	if len(c.Policies)+len(c.Rules) > 0 {
		return nil, errors.New("policies_file: cannot be used together with policies or rules; move them into the file")
	}
	f, _, err := readPolicyFile(c.PoliciesFile)
	set.Policies, set.Rules = f.Policies, f.Rules
	return set, err
}

func (p *sampler) compile() (*policy.Program, error) {
	set, err := p.cfg.policySettings()
	if err != nil {
		return nil, err
	}
	set.Telemetry = p.set.TelemetrySettings
	set.Extensions = p.evaluators
	program, err := policy.Compile(*set)
	return program, p.cfg.ofPolicies(err)
}

// ofPolicies says where the policies are that an error is about.
func (c *Config) ofPolicies(err error) error {
	if err == nil || c.PoliciesFile == "" {
		return err
	}
	return fmt.Errorf("policies_file: %s: %w", c.PoliciesFile, err)
}

// evaluators are the host's extensions that bring policy types of their own.
func evaluators(host component.Host) map[string]samplingpolicy.Extension {
	found := map[string]samplingpolicy.Extension{}
	if host == nil {
		return found
	}
	for id, ext := range host.GetExtensions() {
		if e, ok := ext.(samplingpolicy.Extension); ok {
			found[id.String()] = e
		}
	}
	return found
}

// watchEvery is how often the policies' file is looked at. Reading a few kilobytes costs 20 µs; notifications of the
// kernel miss what a ConfigMap's links do.
const watchEvery = 2 * time.Second

// watch replaces the policies when their file is no longer the one that was seen at start. Whatever is wrong with a new file, the old policies stay.
func (p *sampler) watch(ctx context.Context, seen [sha256.Size]byte) {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if _, sum, err := readPolicyFile(p.cfg.PoliciesFile); sum != seen {
			seen = sum
			p.reload(err)
		}
	}
}

// reload compiles the policies anew and gives them to the lanes, whose open traces they decide.
func (p *sampler) reload(err error) {
	var program *policy.Program
	if err == nil {
		program, err = p.compile()
	}
	if err != nil {
		p.telemetry.reloads[reloadFailed].Add(1)
		p.logger.Error("the new policies are not used, the old ones stay", zap.Error(err))
		return
	}
	if program.Fingerprint() == p.telemetry.currentProgram().Fingerprint() {
		return
	}
	for _, l := range p.lanes {
		l.mu.Lock()
		l.shard.SetProgram(program)
		l.mu.Unlock()
	}
	p.telemetry.setProgram(program)
	p.telemetry.reloads[reloadDone].Add(1)
	p.logger.Info("policies reloaded; open traces will be decided by them", zap.Strings("policies", program.Names()))
}
