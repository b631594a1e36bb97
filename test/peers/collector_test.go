package peers

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/internal/supervise"
	"github.com/tailgate-otel/tailgate/internal/testkit/promserver"
)

const repo = "../.."

// section is a mapping of the collector's configuration.
type section = map[string]any

// sink is where the collector sends the metrics that it receives: an exporter, with the extension that it needs.
type sink struct {
	exporter string  // id
	config   section // nil: no exporter, the extension alone
	// store is the configuration of a prometheusstore extension of the same name; nil for exporters of another kind.
	store section
}

// collector is our program at work: OTLP in, the sinks out.
type collector struct {
	*promserver.Process
	otlp promserver.API
	self promserver.API // the collector's own metrics
}

// start runs the collector, or another build of it that TAILGATE names, with the sinks. A feature gate is contrib's way to hide what is not finished.
func start(t *testing.T, gates string, sinks ...sink) *collector {
	t.Helper()
	otlp, metrics := promserver.FreePort(t), promserver.FreePort(t)
	extensions, exporters, names, ids := section{}, section{}, []string{}, []string{}
	for _, s := range sinks {
		if s.config != nil {
			exporters[s.exporter] = s.config
			names = append(names, s.exporter)
		}
		if s.store != nil {
			extensions[s.exporter] = s.store
			ids = append(ids, s.exporter)
		}
	}
	config, err := yaml.Marshal(section{
		"receivers": section{"otlp": section{"protocols": section{"http": section{"endpoint": fmt.Sprintf("127.0.0.1:%d", otlp)}}}},
		"exporters": exporters, "extensions": extensions,
		"service": section{
			"extensions": ids,
			"pipelines":  section{"metrics": section{"receivers": []string{"otlp"}, "exporters": names}},
			"telemetry": section{"metrics": section{"level": "detailed", "readers": []any{section{"pull": section{"exporter": section{
				"prometheus": section{"host": "127.0.0.1", "port": metrics, "without_scope_info": true, "without_type_suffix": false, "without_units": false},
			}}}}}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "collector.yaml")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	c := &collector{
		otlp: promserver.API(fmt.Sprintf("http://127.0.0.1:%d", otlp)),
		self: promserver.API(fmt.Sprintf("http://127.0.0.1:%d", metrics)),
	}
	args := []string{"--config", file}
	if gates != "" {
		args = append(args, "--feature-gates", gates)
	}
	c.Process = promserver.Run(t, supervise.Child{
		Name: "tailgate", Path: cmp.Or(os.Getenv("TAILGATE"), filepath.Join(repo, "dist", "tailgate")), MakeTarget: "build", Args: args,
		Ready: supervise.TCPReady(fmt.Sprintf("127.0.0.1:%d", otlp)),
	})
	return c
}

// store is a sink into our own store, and the API that the store will answer on. It stores what it is sent and nothing
// of its own, for comparison with a server that does the same.
func store(t *testing.T, name, dir string, exporter, extension section) (sink, promserver.API) {
	t.Helper()
	addr := fmt.Sprintf("127.0.0.1:%d", promserver.FreePort(t))
	config := section{
		"directory": dir, "http": section{"endpoint": addr},
		"self_metrics": section{"interval": "0s"}, "rules": section{"builtin": false},
	}
	maps.Copy(config, extension)
	id := "prometheusstore/" + name
	settings := section{"store": id}
	maps.Copy(settings, exporter)
	return sink{exporter: id, config: settings, store: config}, promserver.API("http://" + addr)
}

const otlpPath = "/v1/metrics"

// stockOTLPPath is where a stock server takes OTLP.
const stockOTLPPath = "/api/v1/otlp/v1/metrics"

// export sends a batch as an SDK does and returns the status of the answer.
func export(t testing.TB, to promserver.API, path string, md pmetric.Metrics) promserver.Answer {
	t.Helper()
	body, err := pmetricotlp.NewExportRequestFromMetrics(md).MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	return to.Send(t, path, http.Header{"Content-Type": {"application/x-protobuf"}}, body)
}

// mustExport sends a batch that must be taken, whole or in part.
func mustExport(t testing.TB, to promserver.API, path string, md pmetric.Metrics) {
	t.Helper()
	if answer := export(t, to, path, md); answer.Status/100 != 2 {
		t.Fatalf("export to %s: status %d: %s", to, answer.Status, bytes.TrimSpace(answer.Body))
	}
}

// own reads the collector's own metrics and sums those of a name over the samples that contain every one of the texts.
func (c *collector) own(t testing.TB, name string, texts ...string) float64 {
	t.Helper()
	answer := c.self.Get(t, "/metrics", nil)
	if answer.Status != http.StatusOK {
		t.Fatalf("the collector's own metrics: status %d", answer.Status)
	}
	return sumSamples(t, answer.Body, name, texts...)
}
