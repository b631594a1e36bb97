package differential

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/featuregate"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"
)

const gatePrefix = "processor.tailsamplingprocessor."

// play runs one processor over a case and returns all that could be seen of it. It needs the process to itself, because
// feature gates are global.
func play(t *testing.T, f processor.Factory, c *testCase) *outcome {
	t.Helper()
	defer setGates(t, c.gates)()
	out := new(outcome)
	synctest.Test(t, func(t *testing.T) {
		s := newStage(f, c)
		if err := s.start(t.Context()); err != nil {
			out.refused = err
			return
		}
		s.perform(t.Context(), c)
		out.fill(t.Context(), s, c)
	})
	return out
}

// setGates turns on exactly these gates of the processor and returns what restores the state before.
func setGates(t *testing.T, on []string) (restore func()) {
	t.Helper()
	registry := featuregate.GlobalRegistry()
	before := map[string]bool{}
	registry.VisitAll(func(g *featuregate.Gate) { before[g.ID()] = g.IsEnabled() })
	for _, id := range on {
		if err := registry.Set(id, true); err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		for _, id := range on {
			if err := registry.Set(id, before[id]); err != nil {
				t.Error(err)
			}
		}
	}
}

// A stage is a processor with everything around it that watches it.
type stage struct {
	factory   processor.Factory
	settings  processor.Settings
	config    map[string]any
	reader    *metric.ManualReader
	processor processor.Traces
	sink      sink
	faults    []string // what no processor may do
}

func newStage(f processor.Factory, c *testCase) *stage {
	reader := metric.NewManualReader()
	return &stage{
		factory: f,
		settings: processor.Settings{
			ID: component.NewIDWithName(f.Type(), c.name),
			TelemetrySettings: component.TelemetrySettings{
				Logger:         zap.NewNop(),
				TracerProvider: noop.NewTracerProvider(),
				MeterProvider:  metric.NewMeterProvider(metric.WithReader(reader)),
				Resource:       pcommon.NewResource(),
			},
		},
		config: cloneYAML(c.config).(map[string]any),
		reader: reader,
	}
}

// start takes the way of the collector: decode, validate, create, start. An error means the configuration was refused.
func (s *stage) start(ctx context.Context) error {
	cfg := s.factory.CreateDefaultConfig()
	if err := confmap.NewFromStringMap(s.config).Unmarshal(cfg); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	if err := confmap.Validate(cfg); err != nil {
		return fmt.Errorf("validate: %w", err)
	}
	next, err := consumer.NewTraces(s.sink.consume)
	if err != nil {
		return err
	}
	if s.processor, err = s.factory.CreateTraces(ctx, s.settings, cfg, next); err != nil {
		return fmt.Errorf("create: %w", err)
	}
	if err := s.processor.Start(ctx, host{}); err != nil {
		// The collector shuts down what failed to start, too. What that answers is of no interest here.
		_ = s.processor.Shutdown(ctx)
		return fmt.Errorf("start: %w", err)
	}
	return nil
}

// perform plays the timeline. Each event waits until the processor has nothing left to do but wait for time.
func (s *stage) perform(ctx context.Context, c *testCase) {
	begin := time.Now()
	until := func(second int) {
		time.Sleep(time.Until(begin.Add(time.Duration(second)*time.Second + time.Second/2)))
	}
	for _, r := range c.requests {
		until(r.at)
		s.request(ctx, r)
		synctest.Wait()
	}
	until(c.shutdown)
	if err := s.processor.Shutdown(ctx); err != nil {
		s.fault("shutdown: %v", err)
	}
	synctest.Wait()
}

// request hands over one request. A processor that does not declare that it changes data may get data that others read.
func (s *stage) request(ctx context.Context, r request) {
	td := r.traces()
	mutates := s.processor.Capabilities().MutatesData
	if !mutates {
		td.MarkReadOnly()
	}
	before := marshal(td)
	if err := s.consume(ctx, td); err != nil {
		s.fault("ConsumeTraces at %d.5s: %v", r.at, err)
	}
	synctest.Wait()
	if !mutates && !bytes.Equal(before, marshal(td)) {
		s.fault("ConsumeTraces at %d.5s changed the caller's data", r.at)
	}
}

// consume turns a panic into an error: pdata panics when a processor changes data that is marked read-only.
func (s *stage) consume(ctx context.Context, td ptrace.Traces) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return s.processor.ConsumeTraces(ctx, td)
}

func (s *stage) fault(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

// A sink keeps what it was given until the end, so that a processor that uses memory again after the hand-over is seen.
type sink struct {
	mu   sync.Mutex // a processor may have several goroutines
	kept []ptrace.Traces
}

func (s *sink) consume(_ context.Context, td ptrace.Traces) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = append(s.kept, td)
	return nil
}

// A host has no extensions.
type host struct{}

func (host) GetExtensions() map[component.ID]component.Component { return nil }
