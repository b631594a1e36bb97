// Package refinery measures Honeycomb's Refinery, a tail sampler that is a program of its own and cannot be linked into
// this one. A Process starts it with rules equal to the benchmark's policies, on free ports of the loopback and between
// real sockets: OTLP/HTTP in, Honeycomb's batches out to a sink in this process. Its costs are read from the kernel by
// process id, so that the sink and the load are not in them.
//
// Nothing may be lost: Finish waits until Refinery's own counters say that every span is decided and sent, and fails when
// they tell of a drop, a retry or a decision without the rules. A Process has two goroutines, the sink's server and one
// that waits for the program to end; Close ends both.
package refinery

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tailgate-otel/tailgate/internal/testkit/procstat"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/rig"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/scenario"
)

const (
	// patience is for starting and for settling; both take a second or two on a quiet machine, beside the wait.
	patience = 30 * time.Second
	// glance is the distance of looks at a state that cannot be waited for.
	glance = 100 * time.Millisecond
	// farewell is what Refinery gets to end by itself.
	farewell = 5 * time.Second
)

// A Process is a running Refinery.
type Process struct {
	wait   time.Duration
	at     addresses
	dir    string
	sink   *sink
	cmd    *exec.Cmd
	said   *tail
	ended  chan struct{} // closed when the program has ended
	client *http.Client
	closed bool
}

// Version asks a program for its version.
func Version(program string) (string, error) {
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("-refinery %s: ask for its version: %w", program, err)
	}
	version, found := strings.CutPrefix(strings.TrimSpace(string(out)), "Version: ")
	if !found {
		return "", fmt.Errorf("-refinery %s: answers %q to --version, as Refinery does not", program, out)
	}
	return version, nil
}

// Start starts a program that decides a trace wait after its root, and returns when it takes requests.
func Start(program string, wait time.Duration) (*Process, error) {
	p := &Process{wait: wait, said: &tail{}, ended: make(chan struct{}), client: &http.Client{Timeout: patience}}
	if err := p.start(program); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Process) start(program string) (err error) {
	if p.sink, err = newSink(); err != nil {
		return err
	}
	free, err := scenario.FreeAddresses(3)
	if err != nil {
		return err
	}
	p.at = addresses{incoming: free[0], peers: free[1], metrics: free[2], sink: p.sink.address}
	if p.dir, err = os.MkdirTemp("", "bench-refinery-"); err != nil {
		return fmt.Errorf("make a directory for the configuration of Refinery: %w", err)
	}
	args, err := writeConfig(p.dir, p.at, p.wait)
	if err != nil {
		return err
	}
	p.cmd = exec.Command(program, args...)
	p.cmd.Stdout, p.cmd.Stderr = p.said, p.said
	p.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "REFINERY_") })
	if err := p.cmd.Start(); err != nil {
		p.cmd = nil
		return fmt.Errorf("-refinery %s: start it: %w", program, err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // how it ended is in what it said
	}()
	return p.until("be ready", func() (bool, error) {
		resp, err := p.client.Get("http://" + p.at.incoming + "/ready")
		if err != nil {
			return false, nil //nolint:nilerr // not listening yet
		}
		return resp.StatusCode == http.StatusOK, resp.Body.Close()
	})
}

// Endpoint implements scenario.Target.
func (p *Process) Endpoint() scenario.Endpoint {
	return scenario.Endpoint{
		URL:     "http://" + p.at.incoming + "/v1/traces",
		Headers: map[string]string{"X-Honeycomb-Team": team, "X-Honeycomb-Dataset": dataset},
	}
}

// Cost implements scenario.Target.
func (p *Process) Cost() (cpu time.Duration, rss int64, err error) {
	process := procstat.Process(p.cmd.Process.Pid)
	cpu, errCPU := process.CPU()
	rss, errRSS := process.RSS()
	if err := errors.Join(errCPU, errRSS); err != nil {
		return 0, 0, fmt.Errorf("%w; refinery said:\n%s", err, p.said)
	}
	return cpu, rss, nil
}

// Finish implements scenario.Target. Refinery forgets open traces when it is ended, so their decision is waited for.
func (p *Process) Finish(sent int) (rig.Kept, error) {
	var m metrics
	err := p.until("decide and send everything", func() (ok bool, err error) {
		if m, err = p.metrics(); err != nil {
			return false, err
		}
		// Kept traces wait for sending in a channel that no metric counts, but the root of each leaves last.
		return m.settled(sent) && p.sink.kept.Kept().Traces == uint64(m[keptTraces]), nil
	})
	kept := p.sink.kept.Kept()
	if err != nil {
		err = fmt.Errorf("%w\nsent to it %d spans, came from it %+v, its counters %v", err, sent, kept, m)
	}
	if err := errors.Join(err, m.lost(sent), p.Close()); err != nil {
		return rig.Kept{}, err
	}
	if kept.Spans != uint64(m[sentSpans]) {
		return rig.Kept{}, fmt.Errorf("refinery sent %.0f spans, %d arrived", m[sentSpans], kept.Spans)
	}
	return kept, nil
}

// Close implements scenario.Target.
func (p *Process) Close() error {
	if p.closed {
		return nil
	}
	p.closed = true
	p.client.CloseIdleConnections()
	if p.cmd != nil {
		// It may have ended by itself, of which the caller hears otherwise.
		_ = p.cmd.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(farewell, func() { _ = p.cmd.Process.Kill() })
		<-p.ended
		kill.Stop()
	}
	var errs []error
	if p.sink != nil {
		errs = append(errs, p.sink.Close())
	}
	if p.dir != "" {
		errs = append(errs, os.RemoveAll(p.dir))
	}
	return errors.Join(errs...)
}

func (p *Process) metrics() (metrics, error) {
	resp, err := p.client.Get("http://" + p.at.metrics + "/metrics")
	if err != nil {
		return nil, fmt.Errorf("read the metrics of Refinery: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	return readMetrics(resp.Body)
}

// until looks again and again until done says yes or an error, the program ends, or patience does.
func (p *Process) until(what string, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(context.Background(), p.wait+patience)
	defer cancel()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-p.ended:
			return fmt.Errorf("refinery ended before it could %s; it said:\n%s", what, p.said)
		case <-ctx.Done():
			return fmt.Errorf("refinery did not %s within %s; it said:\n%s", what, p.wait+patience, p.said)
		}
	}
}

// A tail keeps the end of what a program says, for error messages.
type tail struct {
	mu   sync.Mutex // guards text; nothing else is locked under it
	text []byte
}

// maxTail is a screenful of log lines.
const maxTail = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - maxTail; over > 0 {
		t.text = slices.Delete(t.text, 0, over)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
