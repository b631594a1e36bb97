package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// drainTimeout is how long a child's output is still read after it ended. It is only ever used up when something that
// left the process group keeps the pipe open.
const drainTimeout = 2 * time.Second

// process is one running child. Its fields are written before done is closed by the goroutine in run, except those
// that mu guards.
type process struct {
	child   Child
	out     *lineWriter
	started time.Time
	done    chan struct{} // closed when the child is reaped and its output is drained; carries nothing
	exit    Exit          // valid once done is closed

	mu     sync.Mutex // guards the fields below; never held while calling out
	pid    int
	live   bool // the pid is ours: running, or ended and not yet reaped
	ready  bool
	asked  bool
	killed bool
	peak   int64
}

// launch starts the child and returns once it runs. onExit is called with its end, after done is closed.
func launch(child Child, emit func(string), onExit func(*process)) (*process, error) {
	p := &process{child: child, done: make(chan struct{}), started: time.Now()}
	p.out = newLineWriter(emit)
	cmd := exec.Command(child.Path, child.Args...)
	cmd.Dir = child.Dir
	cmd.Env = append(os.Environ(), child.Env...)
	cmd.Stdout, cmd.Stderr = p.out, p.out // the same writer twice is one pipe: lines keep their order
	cmd.WaitDelay = drainTimeout
	cmd.SysProcAttr = childAttr()
	started := make(chan error, 1) // one answer, which launch always takes
	go p.run(cmd, started, onExit)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", child.Name, err)
	}
	return p, nil
}

// run forks the child, waits for its end and reaps it. It stays on one thread for as long as the child lives, because
// the parent-death signal is sent when the *thread* that forked ends (prctl(2), PR_SET_PDEATHSIG); that thread would
// otherwise be blocked in wait all the same.
func (p *process) run(cmd *exec.Cmd, started chan<- error, onExit func(*process)) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		started <- err
		return
	}
	p.mu.Lock()
	p.pid, p.live = cmd.Process.Pid, true
	p.mu.Unlock()
	started <- nil

	unreaped := awaitExit(cmd.Process.Pid)
	if unreaped { // the pid cannot have been given to anybody else yet
		p.killGroup()
	}
	_ = cmd.Wait() // the state below says everything that this error does
	if !unreaped {
		p.killGroup()
	}
	p.out.flush()

	p.mu.Lock()
	p.exit = Exit{
		Name: p.child.Name, PID: p.pid, After: time.Since(p.started), Lines: p.out.tail(), Crash: p.out.crashed(),
		Ready: p.ready, Asked: p.asked, Killed: p.killed, PeakRSS: p.peak,
	}
	p.mu.Unlock()
	p.exit.describe(cmd.ProcessState)
	close(p.done)
	onExit(p)
}

// killGroup ends what the child left behind in its process group.
func (p *process) killGroup() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = syscall.Kill(-p.pid, syscall.SIGKILL) // ESRCH when it left nothing
	p.live = false
}

// signal sends sig to the child's process group, if the child still is there.
func (p *process) signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.live {
		return
	}
	p.asked = true
	if sig == syscall.SIGKILL {
		p.killed = true
	}
	_ = syscall.Kill(-p.pid, sig) // the only error possible is ESRCH: it has just ended
}

// awaitReady returns nil when the child is ready, an *ExitError when it ended before, or why it never got there.
func (p *process) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.child.readyTimeout())
	defer cancel()
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for {
		err := p.child.probe(ctx)
		select {
		case <-p.done:
			return &ExitError{Exit: p.exit}
		default:
		}
		if err == nil {
			p.mu.Lock()
			p.ready = true
			p.mu.Unlock()
			return nil
		}
		select {
		case <-p.done:
			return &ExitError{Exit: p.exit}
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return fmt.Errorf("wait for %s: %w", p.child.Name, ctx.Err())
			}
			return fmt.Errorf("%s is not ready after %s: %w%s", p.child.Name, p.child.readyTimeout(), err, lastWords(p.out.tail()))
		case <-tick.C:
		}
	}
}

// stop asks the child to end, waits, and kills it when its time or ctx is over. It returns how it ended.
func (p *process) stop(ctx context.Context) Exit {
	p.sample()
	p.signal(syscall.SIGTERM)
	timeout := time.NewTimer(p.child.stopTimeout())
	defer timeout.Stop()
	select {
	case <-p.done:
		return p.exit
	case <-timeout.C:
	case <-ctx.Done():
	}
	p.signal(syscall.SIGKILL)
	<-p.done
	return p.exit
}

// sample reads the memory of the child and remembers the peak.
func (p *process) sample() Memory {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.live {
		return Memory{Peak: p.peak}
	}
	m, err := ReadMemory(p.pid)
	if err != nil {
		return Memory{Peak: p.peak} // it is just ending, or the system does not tell
	}
	p.peak = max(p.peak, m.Peak)
	return m
}
