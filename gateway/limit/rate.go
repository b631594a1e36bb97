package limit

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// By is what has a bucket of its own under a rule.
type By uint8

// What requests are counted by, within a route or over all of them.
const (
	ByRoute            By = iota // one bucket for the route
	ByTenant                     // one for each tenant of the route
	ByClient                     // one for each client of the route
	ByTenantEverywhere           // one for each tenant, all routes together
	ByClientEverywhere
)

// RateSettings are a rate limit: a token bucket.
type RateSettings struct {
	// Name of the rule: it keeps its buckets over reloads under it, and clients see it in RateLimit-Policy.
	Name string
	// Requests in a time of Per, in the long run.
	Requests int
	// Per is the time for them. 0: one second.
	Per time.Duration
	// Burst is how many may come at once. 0: as many as Requests.
	Burst int
	By    By
}

// Rule is checked RateSettings. It is immutable.
type Rule struct {
	name      string
	by        By
	interval  int64 // nanoseconds between requests in the long run
	tolerance int64 // how far ahead of time a bucket may run: interval x (burst-1)
	policy    string
}

// NewRule checks s. Its errors begin with the name of the field.
func NewRule(s RateSettings) (*Rule, error) {
	if s.Per == 0 {
		s.Per = time.Second
	}
	if s.Burst == 0 {
		s.Burst = s.Requests
	}
	var errs []error
	if s.Name == "" || !isToken(s.Name) {
		errs = append(errs, fmt.Errorf("Name: must be of letters, digits, - and _, got %q", s.Name))
	}
	if s.Requests <= 0 || s.Per < 0 {
		errs = append(errs, fmt.Errorf("Requests: must be positive, and so Per, got %d in %s", s.Requests, s.Per))
	}
	if s.Burst < 0 {
		errs = append(errs, fmt.Errorf("Burst: must not be negative, got %d", s.Burst))
	}
	if s.By > ByClientEverywhere {
		errs = append(errs, fmt.Errorf("By: %d is none of the constants", s.By))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	interval := max(1, int64(s.Per)/int64(s.Requests))
	if int64(s.Burst) > math.MaxInt64/4/interval {
		return nil, fmt.Errorf("Burst: %d requests at one in %s take more than 70 years to come back, lower it", s.Burst, time.Duration(interval))
	}
	window := max(1, ceilSeconds(time.Duration(interval*int64(s.Burst))))
	return &Rule{name: s.Name, by: s.By, interval: interval, tolerance: interval * int64(s.Burst-1),
		policy: fmt.Sprintf("%q;q=%d;w=%d", s.Name, s.Burst, window)}, nil
}

func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// Who sends a request.
type Who struct{ Route, Tenant, Client string }

const (
	ways      = 8 // places of a set: a key may take any of them. A set of 8 is two cache lines.
	setStripe = 64
)

// Rates is a table of buckets. A bucket is one number, the time up to which its requests are paid for (GCRA, ITU-T I.371),
// and takes 16 bytes; a Limiter of x/time/rate takes 80 beside its place in a map and its key, and needs a sweeper. Keys
// are told apart by 64 bits of a seeded hash: two of a million keys share a bucket with a chance of 1 in 37 million.
//
// It is safe for concurrent use.
type Rates struct {
	seed  maphash.Seed
	locks [setStripe]sync.Mutex // lock i guards the sets s with s % setStripe == i; never two at once
	sets  []set
	lost  atomic.Int64
}

type set struct {
	hash [ways]uint64
	// paid is the theoretical arrival time of the next request, in unix nanoseconds. A bucket whose time has passed is full,
	// which is what a bucket that is not there is.
	paid [ways]int64
}

// NewRates returns a table for keys that are busy at a time, with at least four places for each: then one new key in a
// thousand finds its set full of busy ones (Poisson, mean 2, 8 or more). 100,000 keys take 8 MiB.
func NewRates(keys int) *Rates {
	sets := setStripe
	for sets*ways < 4*keys {
		sets *= 2
	}
	return &Rates{seed: maphash.MakeSeed(), sets: make([]set, sets)}
}

// Lost returns how many busy buckets had to be forgotten. It should stay 0: enlarge the table if it does not.
func (t *Rates) Lost() int64 { return t.lost.Load() }

// Admit charges a request to each of the rules, in their order, up to the first that refuses it. Those before it stay
// charged: list rules by client before rules by route, so that a client beyond its limit takes nothing from the others.
// The Quota is that of the rule that leaves least.
func (t *Rates) Admit(rules []*Rule, who Who, now time.Time) (Quota, Refusal) {
	var tightest Quota
	for _, r := range rules {
		q, refusal := t.admit(r, t.key(r, who), now.UnixNano())
		if refusal.Refused() {
			return q, refusal
		}
		if tightest.Rule == nil || q.Remaining < tightest.Remaining {
			tightest = q
		}
	}
	return tightest, Refusal{}
}

// key of the bucket: a hash of the rule's name and of what it counts by. Hashing the parts one by one takes half the time
// of one maphash.Hash that is written to.
func (t *Rates) key(r *Rule, who Who) uint64 {
	key := mix(uint64(r.by), maphash.String(t.seed, r.name))
	if r.by == ByRoute || r.by == ByTenant || r.by == ByClient {
		key = mix(key, maphash.String(t.seed, who.Route))
	}
	if r.by == ByTenant || r.by == ByTenantEverywhere {
		key = mix(key, maphash.String(t.seed, who.Tenant))
	}
	if r.by == ByClient || r.by == ByClientEverywhere {
		key = mix(key, maphash.String(t.seed, who.Client))
	}
	return key
}

// mix folds the 128-bit product with an odd constant (2^64 / golden ratio), so that the order of the parts counts.
func mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a^b, 0x9e3779b97f4a7c15)
	return high ^ low
}

// admit is the algorithm: a request is paid for up to interval after the later of now and what was paid before, and is
// refused if that was already more than tolerance ahead.
func (t *Rates) admit(r *Rule, key uint64, now int64) (Quota, Refusal) {
	i := key % uint64(len(t.sets))
	lock := &t.locks[i%setStripe]
	lock.Lock()
	defer lock.Unlock()
	place := t.place(&t.sets[i], key, now)
	paid := max(*place, now)
	if ahead := paid - now; ahead > r.tolerance {
		wait := time.Duration(ahead - r.tolerance)
		return Quota{Rule: r, Reset: time.Duration(ahead)}, Refusal{Reason: RateLimited, RetryAfter: wait}
	}
	*place = paid + r.interval
	ahead := *place - now
	return Quota{Rule: r, Remaining: int(max(0, r.tolerance+r.interval-ahead) / r.interval), Reset: time.Duration(ahead)}, Refusal{}
}

// place finds the bucket of key in its set, or makes one in place of the bucket that is full soonest. The set's lock is held.
func (t *Rates) place(s *set, key uint64, now int64) *int64 {
	victim := 0
	for w := range ways {
		if s.hash[w] == key {
			return &s.paid[w]
		}
		if s.paid[w] < s.paid[victim] {
			victim = w
		}
	}
	if s.paid[victim] > now {
		t.lost.Add(1)
	}
	s.hash[victim], s.paid[victim] = key, 0
	return &s.paid[victim]
}
