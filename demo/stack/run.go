package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/tailgate-otel/tailgate/internal/supervise"
)

const (
	// pollInterval is the pace of the status block; the telemetry behind it moves every five seconds.
	pollInterval = 2 * time.Second
	// lineInterval is the pace of status lines where there is no terminal.
	lineInterval  = 10 * time.Second
	defaultSettle = 30 * time.Second
	settlePoll    = 250 * time.Millisecond
	// rateWindow is what the rate of samples is averaged over; they come in bursts every five seconds.
	rateWindow = 20 * time.Second
)

// Options are what the command line says.
type Options struct {
	Duration  time.Duration // 0: until the context ends
	Rate      float64
	Dist      string // folder of the binaries
	ConfigDir string
	Data      string
	NoLoad    bool
	Plain     bool // no status block even on a terminal
	// Addresses tell the stack where its children listen; they do not configure collector and gateway.
	Addresses Addresses
	// Settle bounds the wait for the last decisions. Default 30s: the sampler's wait (5 s), two exports of the collector's
	// own metrics (5 s each), and the same again for a busy machine.
	Settle time.Duration
	// Out is where logs, status and summary go.
	Out *os.File
}

// Check reports everything that is wrong with the options.
func (o Options) Check() error {
	var errs []error
	if o.Duration < 0 {
		errs = append(errs, fmt.Errorf("--duration %s: must not be negative", o.Duration))
	}
	if !(o.Rate > 0 && o.Rate <= 10_000) {
		errs = append(errs, fmt.Errorf("--rate %v: must be above 0 and at most 10000 requests per second", o.Rate))
	}
	return errors.Join(errs...)
}

// runner is one run.
type runner struct {
	Options

	screen  *Screen
	group   *supervise.Group
	store   *store
	started time.Time
	last    Snapshot
	recent  []Snapshot // those of the last rateWindow, oldest first
	shown   time.Time  // of the last status line
	live    bool
	first   bool // data has been seen
}

// Run starts everything, runs until Duration is over or ctx ends, and tears everything down. It returns nil when
// nothing failed and the spans balance. hurry ends what remains at once: children are killed.
func Run(ctx, hurry context.Context, o Options) error {
	if err := o.Check(); err != nil {
		return err
	}
	o.Settle = cmp.Or(o.Settle, defaultSettle)
	r := &runner{Options: o, screen: NewScreen(o.Out), started: time.Now()}
	r.shown = r.started
	r.store = newStore(o.Addresses.storeURL(), r.started)
	defer r.store.close()
	if _, _, terminal := supervise.TerminalSize(o.Out); terminal {
		r.live = !o.Plain && os.Getenv("TERM") != "dumb"
	}
	r.group = supervise.New(supervise.Settings{Output: r.screen, Color: supervise.ColorFor(o.Out), Name: "stack"})
	if o.Duration > 0 { // it is needed at the end: say now that it is missing
		if err := supervise.Preflight(supervise.Child{Name: "dashctl", Path: o.binary("dashctl"), MakeTarget: buildTarget}); err != nil {
			return err
		}
	}
	if err := r.start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // interrupted while starting; everything that ran has been stopped
		}
		return err
	}
	end := r.watch(ctx)
	return r.finish(hurry, end)
}

func (r *runner) start(ctx context.Context) error {
	if err := os.MkdirAll(r.Data, 0o750); err != nil {
		return fmt.Errorf("data directory: %w: choose another with --data", err)
	}
	children := r.children()
	if !r.NoLoad {
		children = append(children, r.loadChild())
	}
	if err := r.group.Start(ctx, children...); err != nil {
		return err
	}
	r.group.Say("everything runs after %s: open %s", age(time.Since(r.started)), dashboardsURL)
	r.group.Say("why a trace was kept or dropped: %s", samplingURL)
	return nil
}

// ending is why the watch ended.
type ending int

const (
	interrupted ending = iota
	elapsed
	failed
)

// watch shows the status until it is time to end.
func (r *runner) watch(ctx context.Context) ending {
	var over <-chan time.Time
	if r.Duration > 0 {
		timer := time.NewTimer(r.Duration)
		defer timer.Stop()
		over = timer.C
	}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	defer r.screen.SetBlock(nil)
	for {
		select {
		case <-r.group.Exited():
			return failed
		case <-over:
			return elapsed
		case <-ctx.Done():
			return interrupted
		case <-tick.C:
			r.show(ctx)
			if !r.NoLoad && r.group.PID(load) == 0 && r.group.Err() == nil {
				if err := r.group.Start(ctx, r.loadChild()); err != nil {
					return failed
				}
			}
		}
	}
}

func (r *runner) show(ctx context.Context) {
	snap, err := r.store.snapshot(ctx)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		r.last = snap
		r.recent = append(r.recent, snap)
		for snap.At.Sub(r.recent[0].At) > rateWindow {
			r.recent = r.recent[1:]
		}
		snap.rateSince(r.recent[0])
	}
	if !r.first && snap.Requests > 0 {
		r.first = true
		r.group.Say("first data on the dashboards after %s", age(time.Since(r.started)))
	}
	status := Status{Snapshot: snap, Uptime: time.Since(r.started), StoreErr: err, Memory: r.memory()}
	if r.live {
		columns, _, _ := supervise.TerminalSize(r.Out)
		r.screen.SetBlock(status.Block(columns))
		return
	}
	if now := time.Now(); now.Sub(r.shown) >= lineInterval {
		r.shown = now
		r.group.Say("%s", status.Line())
	}
}

func (r *runner) memory() []ChildMemory {
	var out []ChildMemory
	for _, name := range []string{collector, gateway, shop, load} {
		if m := r.group.Memory(name); m.RSS > 0 {
			out = append(out, ChildMemory{name, m.RSS})
		}
	}
	return out
}

// finish ends the run: senders first, then the wait for the last decisions, the numbers, and the collector.
func (r *runner) finish(hurry context.Context, end ending) error {
	if end == failed {
		cause := r.group.Err()
		_ = r.group.Stop(hurry) // the first cause is what the reader needs
		return cause
	}
	s := &Summary{Ran: time.Since(r.started), Data: r.Data}
	note := func(err error) {
		if err != nil {
			s.Problems = append(s.Problems, err.Error())
		}
	}
	if end == elapsed {
		panels, err := checkPanels(hurry, r.binary("dashctl"), r.Addresses.storeURL())
		s.Panels = panels
		note(err)
	} else {
		r.group.Say("ending; Ctrl-C once more ends at once")
	}
	note(r.group.Stop(hurry, load, shop, gateway))
	r.group.Say("waiting for the last decisions of the sampler")
	var err error
	s.Snapshot, err = r.settle(hurry)
	note(err)
	if s.Losses, err = r.store.losses(hurry); err != nil {
		note(err)
	}
	note(r.group.Stop(hurry))
	for _, exit := range r.group.Exits() {
		s.Peaks = append(s.Peaks, ChildMemory{exit.Name, exit.PeakRSS})
	}
	if end == elapsed {
		s.judge(!r.NoLoad)
	}
	if _, err := fmt.Fprint(r.Out, s.String()); err != nil {
		return fmt.Errorf("print the summary: %w", err)
	}
	return r.verdict(end, s)
}

func (r *runner) verdict(end ending, s *Summary) error {
	if cause := r.group.Err(); cause != nil {
		return cause
	}
	if end == elapsed && len(s.Problems) > 0 {
		return fmt.Errorf("the run did not go well: %s", s.Problems[0])
	}
	return nil
}

// settle waits until the numbers are newer than the last span, every span has reached the sampler and none is held, or
// until neither can be hoped for any more, and returns the last numbers.
func (r *runner) settle(ctx context.Context) (Snapshot, error) {
	since := time.Now()
	ctx, cancel := context.WithTimeout(ctx, r.Settle)
	defer cancel()
	tick := time.NewTicker(settlePoll)
	defer tick.Stop()
	var known bool
	for {
		snap, err := r.store.snapshot(ctx)
		if err == nil {
			r.last, known = snap, true
			if snap.SpansAsOf > float64(since.UnixMilli())/1000 && snap.SpansAccepted <= snap.Spans.In && snap.Spans.Held == 0 {
				return snap, nil
			}
		}
		select {
		case <-r.group.Exited():
			return r.last, nil // verdict tells of it
		case <-ctx.Done():
			if known { // the last question was cut off, or the spans do not balance: the numbers tell
				return r.last, nil
			}
			return r.last, err
		case <-tick.C:
		}
	}
}
