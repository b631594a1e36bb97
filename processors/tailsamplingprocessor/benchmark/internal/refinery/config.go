package refinery

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	yaml "go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/traffic"
)

const (
	// team is an API key in the form of Honeycomb's classic ones, 32 hex digits: for such a key Refinery asks nobody which
	// environment it belongs to, and sends everything to the one data set of the request. A key of an environment would
	// make a data set of each service, twelve small batches instead of one: dearer, and nothing that sampling is about.
	team    = "7a696c6761746562656e63686d61726b"
	dataset = "benchmark"

	// queue is what the collecting workers may be behind, in spans: 7 s of the usual 41,600 spans/s, so that a collection
	// of garbage on a busy machine drops nothing. Refinery's default is 30,000. A place costs 8 bytes.
	queue = 300_000

	// wholeTrace ends the wait for a root that never comes; every trace of the traffic has one, sent last.
	wholeTrace = time.Minute

	// Drawn is one in how many of the traces that no other rule keeps are kept: 2 %. Refinery draws by random number and
	// not by trace id, so that each run keeps others.
	Drawn = 50
)

// addresses are where a Refinery listens and where it sends to, each host:port.
type addresses struct {
	incoming, peers, metrics, sink string
}

// config is Refinery alone, without peers, Redis, remote telemetry and stress relief. Whatever is not named has Refinery's
// default: among others batches of 500 events or 100 ms, a worker per core, and its own fields on the spans it keeps.
func config(a addresses, wait time.Duration) map[string]any {
	return map[string]any{
		"General": map[string]any{"ConfigurationVersion": 2, "MinRefineryVersion": "v3.0"},
		"Network": map[string]any{"ListenAddr": a.incoming, "PeerListenAddr": a.peers, "HoneycombAPI": "http://" + a.sink},
		// A trace is decided SendDelay after its root came. The root is the last span of a trace here, so that this is the
		// other samplers' wait from the first span on, but for the few milliseconds in which a trace is sent.
		"Traces":               map[string]any{"SendDelay": wait.String(), "TraceTimeout": wholeTrace.String()},
		"PeerManagement":       map[string]any{"Type": "file", "Identifier": "127.0.0.1"},
		"GRPCServerParameters": map[string]any{"Enabled": false},
		"PrometheusMetrics":    map[string]any{"Enabled": true, "ListenAddr": a.metrics},
		"StressRelief":         map[string]any{"Mode": "never"},
		"Collection":           map[string]any{"IncomingQueueSize": queue, "PeerQueueSize": queue},
	}
}

// rules are the policies of package rig in Refinery's words: the first that matches decides, where contrib's keeps what any
// policy keeps, and as all but the last keep everything that comes to the same. The span that lasts a trace's time is its
// root, which spares Refinery to look at the others.
func rules() map[string]any {
	keep := func(name string, condition map[string]any) map[string]any {
		return map[string]any{"Name": name, "SampleRate": 1, "Conditions": []any{condition}}
	}
	return map[string]any{
		"RulesVersion": 2,
		"Samplers": map[string]any{"__default__": map[string]any{"RulesBasedSampler": map[string]any{"Rules": []any{
			keep("errors", map[string]any{"Field": "error", "Operator": "exists"}),
			keep("slow", map[string]any{"Field": "root.duration_ms", "Operator": ">", "Value": 1000, "Datatype": "float"}),
			keep("watched", map[string]any{"Field": traffic.TenantKey, "Operator": "=", "Value": traffic.WatchedTenant, "Datatype": "string"}),
			map[string]any{"Name": "some", "SampleRate": Drawn},
		}}}},
	}
}

// writeConfig writes both files into a directory and returns the arguments that name them.
func writeConfig(dir string, a addresses, wait time.Duration) ([]string, error) {
	var args []string
	for _, f := range []struct {
		option, name string
		content      map[string]any
	}{
		{"--config", "refinery.yaml", config(a, wait)},
		{"--rules_config", "rules.yaml", rules()},
	} {
		text, err := yaml.Marshal(f.content)
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", f.name, err)
		}
		path := filepath.Join(dir, f.name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return nil, fmt.Errorf("write the configuration of Refinery: %w", err)
		}
		args = append(args, f.option, path)
	}
	return args, nil
}
