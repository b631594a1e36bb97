package scenario

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"

	"github.com/tailgate-otel/tailgate/internal/testkit/procstat"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/probe"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/rig"
)

// A receiving target is the Collector's OTLP receiver in front of a sampler, and behind it an exporter if the spec says
// so, all in this process.
type receiving struct {
	rig      *rig.Rig
	recv     receiver.Traces
	exporter exporter.Traces // nil if what is kept goes nowhere
	address  string
	stopped  bool
}

// serve measures an engine behind the receiver.
func serve(s Spec, e rig.Engine, in io.Reader, out io.Writer) (Result, error) {
	t := &receiving{}
	settings := s.settings()
	if s.SendTo != "" {
		exp, err := export(s.SendTo)
		if err != nil {
			return Result{}, err
		}
		t.exporter, settings.Next = exp, exp
	}
	var err error
	if t.rig, err = rig.Start(e, settings); err != nil {
		return Result{}, err
	}
	if t.address, t.recv, err = listen(t.rig.Telemetry(), t.rig.Consumer()); err != nil {
		return Result{}, err
	}
	return Serve(s, t, in, out)
}

// Endpoint implements Target.
func (t *receiving) Endpoint() Endpoint { return Endpoint{URL: "http://" + t.address + "/v1/traces"} }

// Cost implements Target.
func (*receiving) Cost() (time.Duration, int64, error) { return procstat.CPU(), probe.RSS(), nil }

// Finish implements Target. What the receiver answered 200 to has been consumed, so that there is nothing to lose on the
// way and sent is not looked at.
func (t *receiving) Finish(int) (rig.Kept, error) {
	if err := t.Close(); err != nil {
		return rig.Kept{}, err
	}
	return t.rig.Sink.Kept(), nil
}

// Close implements Target.
func (t *receiving) Close() error {
	if t.stopped {
		return nil
	}
	t.stopped = true
	if err := t.recv.Shutdown(context.Background()); err != nil {
		return fmt.Errorf("shut down the otlp receiver: %w", err)
	}
	if err := t.rig.Stop(); err != nil || t.exporter == nil {
		return err
	}
	if err := t.exporter.Shutdown(context.Background()); err != nil {
		return fmt.Errorf("shut down the otlp_http exporter: %w", err)
	}
	return nil
}

// listen starts an otlp receiver with default settings on a free port of the loopback.
func listen(telemetry component.TelemetrySettings, next consumer.Traces) (string, receiver.Traces, error) {
	addresses, err := FreeAddresses(1)
	if err != nil {
		return "", nil, err
	}
	address := addresses[0]
	factory := otlpreceiver.NewFactory()
	cfg := factory.CreateDefaultConfig()
	keys := map[string]any{"protocols": map[string]any{"http": map[string]any{"endpoint": address}}}
	if err := confmap.NewFromStringMap(keys).Unmarshal(cfg); err != nil {
		return "", nil, fmt.Errorf("decode the configuration of the otlp receiver: %w", err)
	}
	recv, err := factory.CreateTraces(context.Background(), receiver.Settings{
		ID:                component.NewID(factory.Type()),
		TelemetrySettings: telemetry,
		BuildInfo:         component.NewDefaultBuildInfo(),
	}, cfg, next)
	if err != nil {
		return "", nil, fmt.Errorf("create the otlp receiver: %w", err)
	}
	if err := recv.Start(context.Background(), componenttest.NewNopHost()); err != nil {
		return "", nil, fmt.Errorf("start the otlp receiver: %w", err)
	}
	return address, recv, nil
}

// FreeAddresses asks the kernel for ports of the loopback, for servers that do not tell which one they got for port 0.
func FreeAddresses(n int) ([]string, error) {
	var addresses []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = l.Close() }() // only when all are found, so that they differ
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}
