package faults

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor"
)

// What else a child is told.
const (
	configVar    = "TAILGATE_FAULTS_CONFIG"
	deliveredVar = "TAILGATE_FAULTS_DELIVERED" // the file
)

// newProcessor makes the processor as a collector does, and returns what it logs.
func newProcessor(yaml string, next consumer.Traces, tel *componenttest.Telemetry) (processor.Traces, *observer.ObservedLogs, error) {
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(yaml))
	if err != nil {
		return nil, nil, err
	}
	conf, err := retrieved.AsConf()
	if err != nil {
		return nil, nil, err
	}
	factory := tailsamplingprocessor.NewFactory()
	cfg := factory.CreateDefaultConfig()
	if err := errors.Join(conf.Unmarshal(cfg), confmap.Validate(cfg)); err != nil {
		return nil, nil, err
	}
	core, logs := observer.New(zapcore.InfoLevel)
	set := processortest.NewNopSettings(factory.Type())
	if tel != nil {
		set.TelemetrySettings = tel.NewTelemetrySettings()
	}
	set.Logger = zap.New(core)
	p, err := factory.CreateTraces(context.Background(), set, cfg, next)
	return p, logs, err
}

// appender is a next consumer that appends the ids of spans to a file. A span is delivered when the write has returned.
// The answer takes a while longer, so that many a kill comes between the two.
type appender struct{ file *os.File }

const answerTakes = 5 * time.Millisecond

func (appender) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (a appender) ConsumeTraces(_ context.Context, td ptrace.Traces) error {
	var ids []byte
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				id := span.SpanID()
				ids = append(ids, id[:]...)
			}
		}
	}
	_, err := a.file.Write(ids)
	time.Sleep(answerTakes)
	return err
}

// serve is the child. It answers with the number of damaged segments that it found, then with the number of each request
// that was taken.
func serve() error {
	file, err := os.OpenFile(os.Getenv(deliveredVar), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	p, logs, err := newProcessor(os.Getenv(configVar), appender{file}, nil)
	if err != nil {
		return err
	}
	if err := p.Start(context.Background(), componenttest.NewNopHost()); err != nil {
		return err
	}
	damaged := uint32(0)
	for _, entry := range logs.FilterMessage("took up the buffer of the last run").All() {
		n, err := strconv.ParseUint(fmt.Sprint(entry.ContextMap()["damaged_segments"]), 10, 32)
		if err != nil {
			return fmt.Errorf("damaged_segments of the log line: %w", err)
		}
		damaged += uint32(n)
	}
	out := &answers{w: os.Stdout}
	if err := out.send(damaged); err != nil {
		return err
	}
	if err := answerAll(p, out); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return errors.Join(p.Shutdown(ctx), file.Close())
}

type answers struct {
	mu sync.Mutex // guards w
	w  io.Writer
}

func (a *answers) send(n uint32) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, err := a.w.Write(binary.BigEndian.AppendUint32(nil, n))
	return err
}

// answerAll takes requests in, on four goroutines, until standard input ends.
func answerAll(p processor.Traces, out *answers) error {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	var mu sync.Mutex // guards in
	var workers sync.WaitGroup
	errs := make(chan error, 4)
	for range 4 {
		workers.Go(func() {
			for {
				mu.Lock()
				number, td, err := readRequest(in)
				mu.Unlock()
				if errors.Is(err, io.EOF) {
					return
				}
				if err == nil {
					err = p.ConsumeTraces(context.Background(), td)
				}
				if err == nil {
					err = out.send(number)
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	workers.Wait()
	close(errs)
	return <-errs
}

// readRequest reads a frame: length, number, OTLP.
func readRequest(in io.Reader) (number uint32, td ptrace.Traces, err error) {
	var head [8]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return 0, td, err
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(in, body); err != nil {
		return 0, td, err
	}
	td, err = (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(body)
	return binary.BigEndian.Uint32(head[4:]), td, err
}
