package faults

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/processor"
	"golang.org/x/sys/unix"
)

// dirVar is where a child may mount a disk.
const dirVar = "TAILGATE_FAULTS_DIR"

// runChild runs a part to its end. It may skip the test where users may not make name spaces, if the part needs one.
func runChild(t *testing.T, part string, mounts bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), partVar+"="+part, dirVar+"="+t.TempDir())
	if testing.Short() {
		cmd.Env = append(cmd.Env, shortVar+"=1")
	}
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if mounts {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
	}
	err := cmd.Run()
	if mounts && (errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EINVAL)) {
		t.Skipf("this system does not let users make name spaces: %v", err)
	}
	if err != nil {
		t.Error(err)
	}
}

// shortVar is set where the test is to be short.
const shortVar = "TAILGATE_FAULTS_SHORT"

func TestDiskFull(t *testing.T) { runChild(t, "fulldisk", true) }

func TestMemoryOfTheProcess(t *testing.T) { runChild(t, "overload", false) }

// ledger is a next consumer that notes which spans were delivered, and can be told to refuse everything.
type ledger struct {
	mu        sync.Mutex // guards all
	delivered map[uint64]int
	down      bool
}

func (*ledger) Capabilities() consumer.Capabilities { return consumer.Capabilities{} }

func (l *ledger) ConsumeTraces(_ context.Context, td ptrace.Traces) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return errors.New("connection refused")
	}
	for _, rs := range td.ResourceSpans().All() {
		for _, ss := range rs.ScopeSpans().All() {
			for _, span := range ss.Spans().All() {
				id := span.SpanID()
				l.delivered[spanNumber(id)]++
			}
		}
	}
	return nil
}

func (l *ledger) refuse(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

// fullDisk runs the processor on a disk of 24 MiB that it may fill with 256. While the next consumer refuses everything,
// all is kept and nothing can leave: requests are refused, in a way that says «come back». When it accepts again they
// are taken again, and at last everything that was accepted has been delivered.
func fullDisk() error {
	dir := os.Getenv(dirVar)
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		return err
	}
	next := &ledger{delivered: map[uint64]int{}, down: true}
	p, _, err := newProcessor(fmt.Sprintf(`
decision_wait: 100ms
max_buffer: 256MiB
rescue_buffer: 0
storage: {directory: %q}
delivery: {retry: {initial_interval: 10ms, max_interval: 50ms}}
policies: [{name: all, type: always_sample}]
`, dir), next, nil)
	if err != nil {
		return err
	}
	if err := p.Start(context.Background(), componenttest.NewNopHost()); err != nil {
		return err
	}
	f := newFlood(1, 0)
	refused := 0
	for refused < 3 { // each takes a second
		switch err := offer(p, f); {
		case err == nil:
		case consumererror.IsPermanent(err):
			return fmt.Errorf("refused for good: %w", err)
		default:
			refused++
		}
		if len(f.acked) > 2_000_000 {
			return fmt.Errorf("%d spans went to a disk of 24 MiB", len(f.acked))
		}
	}
	full := len(f.acked)
	next.refuse(false)
	for err := offer(p, f); err != nil; err = offer(p, f) {
	}
	for range 100 {
		if err := offer(p, f); err != nil {
			return fmt.Errorf("after there was room again: %w", err)
		}
	}
	return settle(p, next, f, full)
}

// settle waits until all that was accepted was delivered.
func settle(p processor.Traces, next *ledger, f *flood, full int) error {
	deadline := time.Now().Add(20 * time.Second)
	for missing := 1; missing > 0; time.Sleep(50 * time.Millisecond) { // in real time: the disk is a real one
		missing = 0
		next.mu.Lock()
		for _, spec := range f.acked {
			if next.delivered[spec.number] == 0 {
				missing++
			}
		}
		next.mu.Unlock()
		if missing > 0 && time.Now().After(deadline) {
			return fmt.Errorf("%d of %d accepted spans were not delivered", missing, len(f.acked))
		}
	}
	fmt.Printf("disk full after %d spans; %d accepted in all, %d delivered, none lost\n", full, len(f.acked), len(next.delivered))
	return p.Shutdown(context.Background())
}

func offer(p processor.Traces, f *flood) error {
	number, body, err := f.next()
	if err != nil {
		return err
	}
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(body)
	if err != nil {
		return err
	}
	if err := p.ConsumeTraces(context.Background(), td); err != nil {
		return err
	}
	f.ack(number)
	return nil
}

// overload offers spans that share nothing, far more than fit, with a heap as large as a request needs, and measures
// what the process has in memory more than before.
func overload() error {
	const budget = 128 << 20
	debug.SetGCPercent(20) // what the test itself makes shall not hide what the processor holds
	next := &ledger{delivered: map[uint64]int{}}
	p, _, err := newProcessor(`
decision_wait: 30s
max_buffer: 128MiB
policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]
`, next, nil)
	if err != nil {
		return err
	}
	runtime.GC()
	before, err := resident()
	if err != nil {
		return err
	}
	if err := p.Start(context.Background(), componenttest.NewNopHost()); err != nil {
		return err
	}
	total := 3 * budget
	if os.Getenv(shortVar) != "" {
		total = 2 * budget
	}
	random, most, errs := rand.New(rand.NewPCG(1, 1)), 0, 0
	for sent, trace := 0, 1; sent < total; trace++ {
		status := ptrace.StatusCodeOk
		if trace%100 == 0 {
			status = ptrace.StatusCodeError
			errs += 50
		}
		if err := p.ConsumeTraces(context.Background(), unlike(random, trace, status)); err != nil {
			return fmt.Errorf("trace %d: %w", trace, err)
		}
		sent += 50 * 1200
		if trace%100 == 0 {
			now, err := resident()
			if err != nil {
				return err
			}
			most = max(most, now-before)
		}
	}
	if err := p.Shutdown(context.Background()); err != nil {
		return err
	}
	fmt.Printf("resident at most %.1f MiB more than before, with a budget of %d MiB; %d spans with errors, %d delivered\n",
		float64(most)/(1<<20), budget>>20, errs, len(next.delivered))
	if most > budget*11/10 {
		return fmt.Errorf("resident memory grew by %d bytes, the budget is %d", most, budget)
	}
	if len(next.delivered) != errs {
		return fmt.Errorf("%d spans with errors, %d delivered", errs, len(next.delivered))
	}
	return nil
}

// unlike makes a trace of 50 spans with 1 KiB each that never comes again.
func unlike(random *rand.Rand, trace int, status ptrace.StatusCode) ptrace.Traces {
	td := ptrace.NewTraces()
	ss := td.ResourceSpans().AppendEmpty().ScopeSpans().AppendEmpty()
	for i := range 50 {
		span := ss.Spans().AppendEmpty()
		span.SetTraceID(traceID(trace))
		span.SetSpanID(spanID(uint64(trace*50 + i)))
		span.SetParentSpanID([8]byte{9})
		span.Status().SetCode(status)
		value := make([]byte, 1024)
		for i := range value {
			value[i] = 'a' + byte(random.UintN(26))
		}
		span.Attributes().PutStr("value", string(value))
	}
	return td
}

// resident is what the process has in memory, in bytes.
func resident() (int, error) {
	b, err := os.ReadFile(filepath.Join("/proc", "self", "statm"))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b))
	pages, err := strconv.Atoi(fields[1])
	return pages * os.Getpagesize(), err
}
