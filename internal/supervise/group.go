package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// Settings are what a Group needs to know besides its children.
type Settings struct {
	// Output takes the lines of all children, each in one Write. Nil discards them.
	Output io.Writer
	// Color colours the prefixes; see ColorFor.
	Color bool
	// Name is the prefix of the group's own lines ("gateway is ready after 0.4s"). Empty leaves them out.
	Name string
}

// Group is a set of children that live and end together. Its methods may be called from several goroutines.
type Group struct {
	name   string
	out    *prefixer
	exited chan struct{} // closed with the first failure; carries nothing

	mu      sync.Mutex // guards the fields below; never held while waiting for a child
	procs   []*process // in order of start, ended ones included
	failure error
}

// New returns a group without children.
func New(s Settings) *Group {
	if s.Output == nil {
		s.Output = io.Discard
	}
	g := &Group{
		name:   s.Name,
		exited: make(chan struct{}),
		out:    &prefixer{w: s.Output, color: s.Color, hues: make(map[string]string)},
	}
	if g.name != "" {
		g.out.enrol(g.name)
	}
	return g
}

// Start checks the binaries and ports of all children (see Preflight), then starts them in order, each once the one
// before is ready. It may be called again for more children. When it fails, everything that this group runs has been
// stopped. ctx bounds the starting only; the children outlive it.
func (g *Group) Start(ctx context.Context, children ...Child) error {
	if err := g.start(ctx, children); err != nil {
		// Deliberately not ctx, which may be why we are here: each child still gets its own StopTimeout.
		_ = g.Stop(context.WithoutCancel(ctx)) // the first cause is what the caller needs to hear
		return err
	}
	return nil
}

func (g *Group) start(ctx context.Context, children []Child) error {
	if err := g.checkNames(children); err != nil {
		return err
	}
	if err := Preflight(children...); err != nil {
		return err
	}
	for _, c := range children {
		g.out.enrol(c.Name)
	}
	for _, c := range children {
		err := g.startOne(ctx, c)
		if first := g.Err(); first != nil { // an earlier child died meanwhile: it is the cause, this one's trouble follows
			return first
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (g *Group) startOne(ctx context.Context, c Child) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("start %s: %w", c.Name, err)
	}
	emit := func(line string) {
		g.out.line(c.Name, line)
		if c.OnLine != nil {
			c.OnLine(line)
		}
	}
	p, err := launch(c, emit, g.ended)
	if err != nil {
		return err
	}
	g.mu.Lock()
	g.procs = append(g.procs, p)
	g.mu.Unlock()
	if err := p.awaitReady(ctx); err != nil {
		return err
	}
	g.say("%s is ready after %s (pid %d)", c.Name, time.Since(p.started).Round(time.Millisecond), p.pid)
	return nil
}

// ended is called by the goroutine of a child that has ended.
func (g *Group) ended(p *process) {
	if p.exit.Asked || p.child.MayExit && p.exit.Code == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failure == nil {
		g.failure = &ExitError{Exit: p.exit}
		close(g.exited)
	}
}

// Exited is closed when a child ended that should not have.
func (g *Group) Exited() <-chan struct{} { return g.exited }

// Err is the first failure as an *ExitError, or nil.
func (g *Group) Err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failure
}

// Wait returns the first failure, nil once every child has ended properly, or the error of ctx.
func (g *Group) Wait(ctx context.Context) error {
	for _, p := range g.running() {
		select {
		case <-p.done:
		case <-g.exited:
			return g.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	// A failing child closes done just before it reports: ended runs in between.
	for _, p := range g.snapshot() {
		if e := p.exit; !e.Asked && (e.Code != 0 || !p.child.MayExit) {
			return &ExitError{Exit: e}
		}
	}
	return nil
}

// Stop stops the named children, or all, in reverse order of their start: SIGTERM, then SIGKILL when a child's
// StopTimeout or ctx is over. It returns when they are gone, with one *ExitError for each that did not end properly.
// Children that have ended already are no error; stopping twice is fine.
func (g *Group) Stop(ctx context.Context, names ...string) error {
	var errs []error
	for _, p := range slices.Backward(g.snapshot()) {
		if len(names) > 0 && !slices.Contains(names, p.child.Name) {
			continue
		}
		select {
		case <-p.done:
			continue
		default:
		}
		g.say("stopping %s", p.child.Name)
		if exit := p.stop(ctx); !exit.clean() {
			errs = append(errs, &ExitError{Exit: exit})
		}
	}
	return errors.Join(errs...)
}

// Exits lists the children that have ended, in order of their start.
func (g *Group) Exits() []Exit {
	var exits []Exit
	for _, p := range g.snapshot() {
		select {
		case <-p.done:
			exits = append(exits, p.exit)
		default:
		}
	}
	return exits
}

// PID is the process id of a child, or 0 when it never ran or has ended.
func (g *Group) PID(name string) int {
	if p := g.find(name); p != nil {
		return p.pid
	}
	return 0
}

// Memory is what a running child occupies; of one that has ended only the peak is known. Each call also notes the peak
// for Exit.PeakRSS.
func (g *Group) Memory(name string) Memory {
	for _, p := range slices.Backward(g.snapshot()) {
		if p.child.Name == name {
			return p.sample()
		}
	}
	return Memory{}
}

// Say writes a line of the group's own among those of the children.
func (g *Group) Say(format string, args ...any) { g.say(format, args...) }

func (g *Group) say(format string, args ...any) {
	if g.name != "" {
		g.out.line(g.name, fmt.Sprintf(format, args...))
	}
}

func (g *Group) checkNames(children []Child) error {
	taken := make(map[string]bool)
	for _, p := range g.running() {
		taken[p.child.Name] = true
	}
	for _, c := range children {
		if err := c.check(); err != nil {
			return err
		}
		if taken[c.Name] {
			return fmt.Errorf("supervise: two children are named %q", c.Name)
		}
		taken[c.Name] = true
	}
	return nil
}

func (g *Group) snapshot() []*process {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.procs)
}

func (g *Group) running() []*process {
	return slices.DeleteFunc(g.snapshot(), func(p *process) bool {
		select {
		case <-p.done:
			return true
		default:
			return false
		}
	})
}

func (g *Group) find(name string) *process {
	for _, p := range g.running() {
		if p.child.Name == name {
			return p
		}
	}
	return nil
}
