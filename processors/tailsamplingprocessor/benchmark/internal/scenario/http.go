package scenario

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/pace"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/probe"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/rig"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/traffic"
)

// Words of the control channel between a serving child and who loads it, one a line. The child first says its address;
// it answers begin when it has read its CPU clock, and end with its result.
const (
	begin = "begin"
	end   = "end"
)

// serve puts the Collector's OTLP receiver in front of the sampler and measures what this process spends between begin
// and end.
func serve(s Spec, e rig.Engine, in io.Reader, out io.Writer) (Result, error) {
	r, err := s.start(e)
	if err != nil {
		return Result{}, err
	}
	address, recv, err := listen(r)
	if err != nil {
		return Result{}, err
	}
	fmt.Fprintln(out, address)

	words := bufio.NewReader(in)
	if err := expect(words, begin); err != nil {
		return Result{}, err
	}
	before := probe.CPU()
	fmt.Fprintln(out, begin)
	if err := expect(words, end); err != nil {
		return Result{}, err
	}
	used := probe.CPU() - before
	if err := recv.Shutdown(context.Background()); err != nil {
		return Result{}, fmt.Errorf("shut down the otlp receiver: %w", err)
	}
	return s.result(r, Figures{CPUPerSpan: microsPerSpan(used, s.Measured, 0)})
}

// listen starts an otlp receiver with default settings on a free port of the loopback.
func listen(r *rig.Rig) (string, receiver.Traces, error) {
	address, err := freeAddress()
	if err != nil {
		return "", nil, err
	}
	factory := otlpreceiver.NewFactory()
	cfg := factory.CreateDefaultConfig()
	keys := map[string]any{"protocols": map[string]any{"http": map[string]any{"endpoint": address}}}
	if err := confmap.NewFromStringMap(keys).Unmarshal(cfg); err != nil {
		return "", nil, fmt.Errorf("decode the configuration of the otlp receiver: %w", err)
	}
	recv, err := factory.CreateTraces(context.Background(), receiver.Settings{
		ID:                component.NewID(factory.Type()),
		TelemetrySettings: r.Telemetry(),
		BuildInfo:         component.NewDefaultBuildInfo(),
	}, cfg, r.Consumer())
	if err != nil {
		return "", nil, fmt.Errorf("create the otlp receiver: %w", err)
	}
	if err := recv.Start(context.Background(), componenttest.NewNopHost()); err != nil {
		return "", nil, fmt.Errorf("start the otlp receiver: %w", err)
	}
	return address, recv, nil
}

// freeAddress asks the kernel for a port: the receiver does not tell which one it got for port 0.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

// Load feeds a serving child through its control channel: toChild is its in, fromChild its out. What follows in
// fromChild is the child's result.
func Load(s Spec, toChild io.Writer, fromChild *bufio.Reader) error {
	address, err := fromChild.ReadString('\n')
	if err != nil {
		return fmt.Errorf("the child did not say where it listens: %w", err)
	}
	url := "http://" + strings.TrimSpace(address) + "/v1/traces"
	streams := make([]*traffic.Stream, s.Senders)
	for i := range streams {
		streams[i] = s.Stream(i)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: s.Senders, DisableCompression: true}}
	defer client.CloseIdleConnections()
	var marked error
	_, err = pace.Schedule{
		Senders: s.Senders, Interval: s.Interval(), Requests: s.Warm + s.Measured,
		MarkAt: s.Warm, Mark: func() {
			fmt.Fprintln(toChild, begin)
			marked = expect(fromChild, begin)
		},
	}.Run(func(sender, _ int) error { return post(client, url, streams[sender].Next()) })
	if err := errors.Join(err, marked); err != nil {
		return err
	}
	fmt.Fprintln(toChild, end)
	return nil
}

func post(client *http.Client, url string, body []byte) error {
	resp, err := client.Post(url, "application/x-protobuf", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fmt.Errorf("read the answer of %s: %w", url, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, resp.Status)
	}
	return nil
}

func expect(r *bufio.Reader, word string) error {
	line, err := r.ReadString('\n')
	if err != nil {
		return fmt.Errorf("wait for %q on the control channel: %w", word, err)
	}
	if got := strings.TrimSpace(line); got != word {
		return fmt.Errorf("control channel said %q, want %q", got, word)
	}
	return nil
}
