package scenario

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/pace"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/probe"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/rig"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/traffic"
)

// Words of the control channel between a serving child and who loads it, one a line. The child first says its endpoint as
// JSON; it answers begin when it has read the CPU clock, and end with its result.
const (
	begin = "begin"
	end   = "end"
)

// An Endpoint is where a target takes OTLP over HTTP, and what it asks for beside the body.
type Endpoint struct {
	URL     string
	Headers map[string]string `json:",omitempty"`
}

// A Target samples what comes over OTLP/HTTP: the Collector's receiver with a sampler behind it, in this process, or a
// program of somebody else's.
type Target interface {
	Endpoint() Endpoint
	// Cost is the user and system time that the target has used and the memory that it holds.
	Cost() (cpu time.Duration, rss int64, err error)
	// Finish lets the target decide what it was sent, ends it and says what it kept. Where it can be known, a span lost on
	// the way is an error.
	Finish(sent int) (rig.Kept, error)
	// Close ends the target at once; after Finish it does nothing.
	Close() error
}

// Serve measures what a target spends between begin and end.
func Serve(s Spec, t Target, in io.Reader, out io.Writer) (result Result, err error) {
	defer func() { err = errors.Join(err, t.Close()) }()
	if err := json.NewEncoder(out).Encode(t.Endpoint()); err != nil {
		return Result{}, fmt.Errorf("say where the target listens: %w", err)
	}
	words := bufio.NewReader(in)
	if err := expect(words, begin); err != nil {
		return Result{}, err
	}
	before, _, err := t.Cost()
	if err != nil {
		return Result{}, err
	}
	watch := probe.WatchRSS(func() int64 { _, rss, _ := t.Cost(); return rss }) // an error comes again below
	fmt.Fprintln(out, begin)
	waited := expect(words, end)
	average, highest := watch.Stop()
	after, _, err := t.Cost()
	if err := errors.Join(waited, err); err != nil {
		return Result{}, err
	}
	kept, err := t.Finish((s.Warm + s.Measured) * traffic.SpansPerRequest)
	if err != nil {
		return Result{}, err
	}
	return Result{Kept: kept, Figures: Figures{
		CPUPerSpan: microsPerSpan(after-before, s.Measured, 0),
		RSSAverage: float64(average),
		RSSMax:     float64(highest),
	}}, nil
}

// Load feeds a serving child through its control channel: toChild is its in, fromChild its out. What follows in
// fromChild is the child's result.
func Load(s Spec, toChild io.Writer, fromChild *bufio.Reader) error {
	line, err := fromChild.ReadString('\n')
	if err != nil {
		return fmt.Errorf("the child did not say where it listens: %w", err)
	}
	var to Endpoint
	if err := json.Unmarshal([]byte(line), &to); err != nil {
		return fmt.Errorf("the child said %q, not where it listens: %w", line, err)
	}
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
	}.Run(func(sender, _ int) error { return post(client, to, streams[sender].Next()) })
	if err := errors.Join(err, marked); err != nil {
		return err
	}
	fmt.Fprintln(toChild, end)
	return nil
}

func post(client *http.Client, to Endpoint, body []byte) error {
	req, err := http.NewRequest(http.MethodPost, to.URL, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make a request: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	for name, value := range to.Headers {
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return fmt.Errorf("read the answer of %s: %w", to.URL, err)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", to.URL, resp.Status)
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
