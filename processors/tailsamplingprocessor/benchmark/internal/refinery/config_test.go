package refinery

import (
	"os"
	"reflect"
	"testing"
	"time"

	yaml "go.yaml.in/yaml/v3"
)

// The files, as Refinery reads them.
func TestConfigurationFiles(t *testing.T) {
	args, err := writeConfig(t.TempDir(), addresses{
		incoming: "127.0.0.1:1", peers: "127.0.0.1:2", metrics: "127.0.0.1:3", sink: "127.0.0.1:4",
	}, 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if len(args) != 4 || args[0] != "--config" || args[2] != "--rules_config" {
		t.Fatalf("arguments %q", args)
	}
	for i, want := range map[int]string{1: `
General: {ConfigurationVersion: 2, MinRefineryVersion: v3.0}
Network: {ListenAddr: "127.0.0.1:1", PeerListenAddr: "127.0.0.1:2", HoneycombAPI: "http://127.0.0.1:4"}
Traces: {SendDelay: 2s, TraceTimeout: 1m0s}
PeerManagement: {Type: file, Identifier: 127.0.0.1}
GRPCServerParameters: {Enabled: false}
PrometheusMetrics: {Enabled: true, ListenAddr: "127.0.0.1:3"}
StressRelief: {Mode: never}
Collection: {IncomingQueueSize: 300000, PeerQueueSize: 300000}
`, 3: `
RulesVersion: 2
Samplers:
  __default__:
    RulesBasedSampler:
      Rules:
        - {Name: errors, SampleRate: 1, Conditions: [{Field: error, Operator: exists}]}
        - {Name: slow, SampleRate: 1, Conditions: [{Field: root.duration_ms, Operator: ">", Value: 1000, Datatype: float}]}
        - {Name: watched, SampleRate: 1, Conditions: [{Field: enduser.tenant, Operator: "=", Value: tenant-042, Datatype: string}]}
        - {Name: some, SampleRate: 50}
`} {
		text, err := os.ReadFile(args[i])
		if err != nil {
			t.Fatal(err)
		}
		if got, want := decode(t, string(text)), decode(t, want); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\n%s", args[i], text)
		}
	}
}

func decode(t *testing.T, text string) (v any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	return v
}
