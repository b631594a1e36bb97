package alertfeed

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Feed turns what a rule manager reports into events. It is safe for concurrent use.
type Feed struct {
	limit int

	mu          sync.Mutex // guards all below and the sending end of every subscription's queue
	firing      map[uint64]Alert
	subscribers []*Subscription
	events      [2]uint64 // by State
	untracked   uint64
}

// New returns a Feed that remembers up to limit firing alerts. One takes about 500 bytes with
// usual labels and annotations.
func New(limit int) *Feed {
	return &Feed{limit: limit, firing: map[uint64]Alert{}}
}

// Report takes alerts as they are now, firing or resolved. Repetitions are expected and announce nothing.
func (f *Feed) Report(alerts ...Alert) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range alerts {
		// As in Alertmanager the labels are the identity: two rules that give the same labels are one alert.
		key := a.Labels.Hash()
		_, known := f.firing[key]
		switch {
		case !a.EndsAt.IsZero():
			if known {
				delete(f.firing, key)
				f.publish(Event{Alert: a, State: Resolved})
			}
		case known:
			f.firing[key] = a
		case len(f.firing) >= f.limit:
			f.untracked++
		default:
			f.firing[key] = a
			f.publish(Event{Alert: a, State: Firing})
		}
	}
}

// Lapse ends the alerts that nobody has reported for too long. Call it from time to time.
func (f *Feed) Lapse(now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range f.sorted() {
		if a.ValidUntil.After(now) {
			continue
		}
		delete(f.firing, a.Labels.Hash())
		a.EndsAt = a.ValidUntil
		f.publish(Event{Alert: a, State: Resolved, Lapsed: true})
	}
}

// Subscribe opens a subscription; name is for the statistics. It begins with an event for each alert that fires now, so
// that a subscriber that starts after the first evaluation misses nothing. It may lag behind by as many events as capacity
// says, for each of which 180 bytes are taken from the start.
func (f *Feed) Subscribe(name string, capacity int) *Subscription {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := &Subscription{feed: f, name: name, queue: make(chan Event, max(1, capacity))}
	f.subscribers = append(f.subscribers, s)
	for _, a := range f.sorted() {
		s.offer(Event{Alert: a, State: Firing})
	}
	return s
}

// publish hands an event to every subscriber; mu held.
func (f *Feed) publish(e Event) {
	f.events[e.State]++
	for _, s := range f.subscribers {
		s.offer(e)
	}
}

// sorted returns the firing alerts, the longest-firing first, so that equal input gives equal output; mu held.
func (f *Feed) sorted() []Alert {
	list := make([]Alert, 0, len(f.firing))
	for _, a := range f.firing {
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b Alert) int {
		return cmp.Or(a.StartsAt.Compare(b.StartsAt), cmp.Compare(a.Labels.String(), b.Labels.String()))
	})
	return list
}

// Subscription is a bounded queue of events for one subscriber.
type Subscription struct {
	feed  *Feed
	name  string
	queue chan Event

	closed  bool // guarded by feed.mu, like dropped
	dropped uint64
}

// Events is closed by Close. Its order is the order of the changes.
func (s *Subscription) Events() <-chan Event { return s.queue }

// Batch returns first, which was received from Events, and what is queued behind it, up to limit events. What one call of
// Report has announced is together, unless it is more than that.
func (s *Subscription) Batch(first Event, limit int) []Event {
	s.feed.mu.Lock() // waits for the Report that is announcing
	defer s.feed.mu.Unlock()
	batch := []Event{first}
	for len(batch) < limit {
		select {
		case e, ok := <-s.queue:
			if !ok {
				return batch
			}
			batch = append(batch, e)
		default:
			return batch
		}
	}
	return batch
}

// offer queues an event in place of the oldest one if need be; feed.mu held, so that nobody else sends.
func (s *Subscription) offer(e Event) {
	for {
		select {
		case s.queue <- e:
			return
		default:
		}
		select {
		case <-s.queue:
			s.dropped++
		default: // the subscriber was faster
		}
	}
}

// Close ends the subscription. What is queued can still be read. It may be called twice.
func (s *Subscription) Close() {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	close(s.queue)
	s.feed.subscribers = slices.DeleteFunc(s.feed.subscribers, func(o *Subscription) bool { return o == s })
}

// Dropped is how many events were lost because the subscriber was too slow.
func (s *Subscription) Dropped() uint64 {
	s.feed.mu.Lock()
	defer s.feed.mu.Unlock()
	return s.dropped
}

// Stats are the figures of a Feed.
type Stats struct {
	// Firing is how many alerts fire now.
	Firing int
	// Fired and Resolved count events.
	Fired, Resolved uint64
	// Untracked counts reports of firing alerts beyond the limit.
	Untracked uint64
	// Subscribers are those of now, by order of subscription; those of one name are added up.
	Subscribers []SubscriberStats
}

// SubscriberStats are the figures of one subscription.
type SubscriberStats struct {
	Name    string
	Queued  int
	Dropped uint64
}

// Stats returns the figures of now.
func (f *Feed) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	stats := Stats{
		Firing:    len(f.firing),
		Fired:     f.events[Firing],
		Resolved:  f.events[Resolved],
		Untracked: f.untracked,
	}
	for _, s := range f.subscribers {
		i := slices.IndexFunc(stats.Subscribers, func(o SubscriberStats) bool { return o.Name == s.name })
		if i < 0 {
			i = len(stats.Subscribers)
			stats.Subscribers = append(stats.Subscribers, SubscriberStats{Name: s.name})
		}
		stats.Subscribers[i].Queued += len(s.queue)
		stats.Subscribers[i].Dropped += s.dropped
	}
	return stats
}
