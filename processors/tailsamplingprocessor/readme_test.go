package tailsamplingprocessor

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/processor/processortest"

	"github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor/pkg/samplingpolicy"
	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/testkit/readme"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/metadata"
)

const guide = "../../docs/tail-sampling.md"

func newDefaults() any { return createDefaultConfig() }

func TestReadmeHasEveryKey(t *testing.T) {
	keys := readme.Table(t, "README.md", "### Contrib's")
	keys = append(keys, readme.Table(t, "README.md", "### Ours")...)
	readme.CheckKeys(t, keys, newDefaults)

	policies := readme.Table(t, "README.md", "## Policies")
	readme.CheckKeys(t, withoutDefault(policies, "probabilistic::hash_salt", "ottl_condition::error_mode"),
		func() any { return new(policy.Config) })
	for _, row := range policies {
		if strings.Contains(row["key"], "rate_allocation") {
			for _, key := range readme.Keys(new(policy.RateAllocation)) {
				assert.Contains(t, row["meaning"], "`"+key+"`")
			}
		}
	}
	readme.CheckKeys(t, readme.Table(t, "README.md", "## Rules"), func() any { return new(policy.RuleConfig) })
}

// withoutDefault are the rows, with prose instead of the defaults that a zero value stands for: other tests have those.
func withoutDefault(rows []readme.Row, keys ...string) (out []readme.Row) {
	for _, row := range rows {
		for _, key := range keys {
			if row["key"] == "`"+key+"`" {
				row = readme.Row{"key": row["key"]}
			}
		}
		out = append(out, row)
	}
	return out
}

// Every configuration in the documents works: it is loaded, validated, started and stopped.
func TestDocumentedConfigurationsWork(t *testing.T) {
	for _, file := range []string{"README.md", guide} {
		blocks := readme.YAML(t, file)
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Chdir(t.TempDir()) // for the directories and the file that the documents name
			for _, block := range blocks {
				writePolicies(t, block)
			}
			for _, block := range blocks {
				samplers := block.Load(t, "processors", metadata.Type.String(), newDefaults)
				if !block.Conf(t).IsSet("rules") && !block.Conf(t).IsSet("policies") {
					assert.NotEmpty(t, samplers, "%s configures no tail_sampling", block.Place)
				}
				for id, cfg := range samplers {
					startAndStop(t, block.Place+" "+id, cfg.(*Config))
				}
			}
		})
	}
}

// documentedFile is the name that the documents give to a file of policies.
const documentedFile = "sampling.yaml"

// writePolicies writes the file if the block is one. The last one stays.
func writePolicies(t *testing.T, block readme.Block) {
	t.Helper()
	if conf := block.Conf(t); conf.IsSet("processors") || !conf.IsSet("rules") && !conf.IsSet("policies") {
		return
	}
	require.NoError(t, os.WriteFile(documentedFile, []byte(block.Text), 0o600))
	cfg := createDefaultConfig().(*Config)
	cfg.PoliciesFile = documentedFile
	require.NoError(t, cfg.Validate(), block.Place)
}

func startAndStop(t *testing.T, name string, cfg *Config) {
	t.Helper()
	if cfg.Debug.Endpoint != "" {
		cfg.Debug.Endpoint = "localhost:0"
	}
	p := newTestSampler(t, cfg)
	require.NoError(t, p.Start(context.Background(), documentedHost{}), name)
	require.NoError(t, p.Shutdown(context.Background()), name)
}

func newTestSampler(t *testing.T, cfg *Config) *sampler {
	t.Helper()
	p, err := newSampler(processortest.NewNopSettings(metadata.Type), cfg, consumertest.NewNop())
	require.NoError(t, err)
	return p
}

// documentedHost has the extension that the documents name.
type documentedHost struct{}

func (documentedHost) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{
		component.MustNewIDWithName("my_sampler", "eu"): documentedExtension{},
	}
}

type documentedExtension struct{ component.Component }

func (documentedExtension) NewEvaluator(string, map[string]any) (samplingpolicy.Evaluator, error) {
	return documentedEvaluator{}, nil
}

type documentedEvaluator struct{ samplingpolicy.Evaluator }

// The README explains every reason, gate and attribute by the name that it really has.
func TestReadmeNamesWhatThereIs(t *testing.T) {
	text := readme.Read(t, "README.md")
	var gates []string
	for _, row := range readme.Table(t, "README.md", "## Feature gates") {
		name, _ := readme.Code(row["gate"])
		gates = append(gates, "processor.tailsamplingprocessor."+name)
	}
	assert.ElementsMatch(t, []string{
		gateRecordPolicy.ID(), gateUseTraceState.ID(), gateCountSpans.ID(), gateCountBytes.ID(), gateTailStorage.ID(),
	}, gates)
	for _, name := range []string{attrPolicy, contribPolicy, contribComposite, contribCached} {
		assert.Contains(t, text, "`"+name+"`")
	}
	for _, name := range []string{
		"spans_refused", "damaged_segments", "policy_reloads", "buffer_size", "buffer_limit", "decisions", "spans_failed",
		"count_spans_sampled", "count_bytes_sampled",
	} {
		assert.Contains(t, text, "`"+name+"`")
		assert.Contains(t, readme.Read(t, "documentation.md"), "processor_tail_sampling_"+name)
	}
}
