package health

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Round is the usual time between two evaluations. Half as much would find a dead endpoint 100 ms earlier and judge it by half
// as many results.
const Round = 100 * time.Millisecond

// Keeper holds the groups of all upstreams and evaluates them on a goroutine of its own.
type Keeper struct {
	mu     sync.Mutex // guards groups; their own locks are not taken under it
	groups map[string]*Group

	stop sync.Once
	quit chan struct{}
	done chan struct{}
}

// NewKeeper starts a keeper that evaluates each group every so often; 0 is Round.
func NewKeeper(every time.Duration) *Keeper {
	k := &Keeper{groups: map[string]*Group{}, quit: make(chan struct{}), done: make(chan struct{})}
	go k.run(cmp.Or(every, Round))
	return k
}

// Group answers the group of that name, making it first if need be.
func (k *Keeper) Group(name string) *Group {
	k.mu.Lock()
	defer k.mu.Unlock()
	g := k.groups[name]
	if g == nil {
		g = NewGroup(name)
		k.groups[name] = g
	}
	return g
}

// Retain forgets the groups for which keep answers false.
func (k *Keeper) Retain(keep func(name string) bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for name := range k.groups {
		if !keep(name) {
			delete(k.groups, name)
		}
	}
}

// Groups lists the groups by name.
func (k *Keeper) Groups() []*Group {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]*Group, 0, len(k.groups))
	for _, g := range k.groups {
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b *Group) int { return cmp.Compare(a.name, b.name) })
	return out
}

// Close stops the evaluation and waits for a round under way. It may be called twice.
func (k *Keeper) Close() {
	k.stop.Do(func() { close(k.quit) })
	<-k.done
}

func (k *Keeper) run(every time.Duration) {
	defer close(k.done)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-k.quit:
			return
		case now := <-tick.C:
			for _, g := range k.Groups() {
				g.Evaluate(now)
			}
		}
	}
}
