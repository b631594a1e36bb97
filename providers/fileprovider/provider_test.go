package fileprovider_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/healthcheckextension"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/debugexporter"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/otelcol"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	"go.opentelemetry.io/collector/service/telemetry/otelconftelemetry"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor"
	"github.com/tailgate-otel/tailgate/providers/fileprovider"
)

func components() (otelcol.Factories, error) {
	f := otelcol.Factories{Telemetry: otelconftelemetry.NewFactory()}
	var err error
	if f.Receivers, err = otelcol.MakeFactoryMap[receiver.Factory](otlpreceiver.NewFactory()); err != nil {
		return f, err
	}
	if f.Processors, err = otelcol.MakeFactoryMap[processor.Factory](tailsamplingprocessor.NewFactory()); err != nil {
		return f, err
	}
	if f.Exporters, err = otelcol.MakeFactoryMap[exporter.Factory](debugexporter.NewFactory(), otlphttpexporter.NewFactory()); err != nil {
		return f, err
	}
	f.Extensions, err = otelcol.MakeFactoryMap[extension.Factory](healthcheckextension.NewFactory())
	return f, err
}

// TestRetrieve runs the files of testdata. A bad file holds the expected messages in comments at its end, one a line,
// each beginning with its line number.
func TestRetrieve(t *testing.T) {
	fileprovider.UseFactories(components)
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no test files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(string(content)) {
				if msg, ok := strings.CutPrefix(line, "# want "); ok {
					want = append(want, file+":"+strings.TrimSpace(msg))
				}
			}
			p := fileprovider.NewFactory().Create(confmap.ProviderSettings{})
			retrieved, err := p.Retrieve(t.Context(), "file:"+file, nil)
			if len(want) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				if conf, err := retrieved.AsConf(); err != nil || len(conf.AllKeys()) == 0 {
					t.Errorf("nothing retrieved: %v", err)
				}
				return
			}
			if err == nil || err.Error() != strings.Join(want, "\n") {
				t.Errorf("got:\n%v\nwant:\n%s", err, strings.Join(want, "\n"))
			}
		})
	}
}

func TestRetrieveMissingFile(t *testing.T) {
	fileprovider.UseFactories(components)
	p := fileprovider.NewFactory().Create(confmap.ProviderSettings{})
	_, err := p.Retrieve(t.Context(), "file:no-such.yaml", nil)
	if err == nil || !strings.Contains(err.Error(), "no-such.yaml") {
		t.Errorf("got %v, want an error that names the file", err)
	}
}
