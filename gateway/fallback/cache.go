package fallback

import (
	"fmt"
	"hash/maphash"
	"math/bits"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Query says which response is meant: those of different routes or tenants are never mixed up. Request is the client's,
// as it came.
type Query struct {
	Route, Tenant string
	Request       *http.Request
}

const (
	// shardTarget is the size from which on a further lock pays: entries are bounded by it, and a bound of 64 MiB
	// gives 14 of them.
	shardTarget = 4 << 20
	maxShards   = 64
	minBytes    = 64 << 10
	// maxVariants of one address are kept: an upstream that varies by User-Agent would else fill the cache with one page.
	maxVariants = 8
	// refreshAfter is how old an entry is at least when it is replaced.
	refreshAfter = time.Second
	// entryOverhead is what an entry takes beside its texts: its struct, the map's cell and the slice and string headers.
	entryOverhead = 640
)

// Cache holds the last good responses of all routes. It is safe for concurrent use. A library (otter, ristretto) would do
// for the map, but counts entries or weighs them asynchronously, knows no variants, and would be another dependency;
// this one is 150 lines and its bound holds at every moment.
type Cache struct {
	seed      maphash.Seed
	shards    []shard
	pending   atomic.Int64 // bytes reserved by captures
	pendingOf int64        // their bound
	abandoned atomic.Int64
}

// shard is a lock and the entries it guards. No other lock is taken under it.
type shard struct {
	mu             sync.Mutex
	byHash         map[uint64]*entry // chains of entries, the newest first
	newest, oldest *entry            // by last use
	entries        int
	bytes, max     int
	stored         int64
	served         int64
	evicted        int64
}

// entry is a stored response. Only its links change.
type entry struct {
	hash              uint64
	route, tenant     string
	host, path, query string
	tls               bool
	selectors         []selector
	terms             terms
	res               *Response
	size              int
	chain             *entry // with the same hash
	newer, older      *entry
}

// NewCache returns a cache that never holds more than maxBytes, captures included.
func NewCache(maxBytes int) (*Cache, error) {
	if maxBytes < minBytes {
		return nil, fmt.Errorf("the cache of fallbacks must have at least %d bytes, got %d", minBytes, maxBytes)
	}
	pending := maxBytes / 8
	stored := maxBytes - pending
	n := min(maxShards, max(1, stored/shardTarget))
	c := &Cache{seed: maphash.MakeSeed(), shards: make([]shard, n), pendingOf: int64(pending)}
	for i := range c.shards {
		c.shards[i].max, c.shards[i].byHash = stored/n, map[uint64]*entry{}
	}
	return c, nil
}

// maxBody is the largest body that may be asked for: it fits into a shard with a header beside it, and twice into the room
// for captures, as it is copied when it grows.
func (c *Cache) maxBody() int { return min(c.shards[0].max-16<<10, int(c.pendingOf/2)) }

// Stats are counts since the start and what is held now.
type Stats struct {
	Entries, Bytes, CapturingBytes     int
	Stored, Served, Evicted, Abandoned int64
}

// Stats returns the sums over all shards.
func (c *Cache) Stats() Stats {
	out := Stats{CapturingBytes: int(c.pending.Load()), Abandoned: c.abandoned.Load()}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		out.Entries, out.Bytes = out.Entries+s.entries, out.Bytes+s.bytes
		out.Stored, out.Served, out.Evicted = out.Stored+s.stored, out.Served+s.served, out.Evicted+s.evicted
		s.mu.Unlock()
	}
	return out
}

// hash of an address. Hashing its parts one by one is faster than writing them to one maphash.Hash; entries whose hashes
// are equal by chance are told apart by find.
func (c *Cache) hash(q Query) uint64 {
	u := q.Request.URL
	hash := uint64(0)
	for _, part := range [...]string{q.Route, q.Tenant, q.Request.Host, u.Path, u.RawPath, u.RawQuery} {
		hash = bits.RotateLeft64(hash, 5) ^ maphash.String(c.seed, part)
	}
	return hash * 0x9e3779b97f4a7c15 // odd, so that nothing is lost; its high bits choose the shard
}

func (c *Cache) shard(hash uint64) *shard { return &c.shards[(hash>>32)%uint64(len(c.shards))] }

// find returns the newest entry that answers q. mu held.
func (s *shard) find(hash uint64, q Query) *entry {
	for e := s.byHash[hash]; e != nil; e = e.chain {
		if e.is(q) && selected(e.selectors, q.Request) {
			return e
		}
	}
	return nil
}

// is says whether the entry has q's address.
func (e *entry) is(q Query) bool {
	return e.route == q.Route && e.tls == (q.Request.TLS != nil) && e.tenant == q.Tenant && e.host == q.Request.Host &&
		e.query == q.Request.URL.RawQuery && e.path == q.Request.URL.EscapedPath()
}

// serve returns a response to q that is good enough, or nil.
func (c *Cache) serve(q Query, maxStale time.Duration, now time.Time) *Response {
	if q.Request.Method != http.MethodGet && q.Request.Method != http.MethodHead {
		return nil
	}
	hash := c.hash(q)
	s := c.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(hash, q)
	if e == nil || !e.terms.usable(e.res.Age(now), maxStale) {
		return nil
	}
	s.served++
	s.unlink(e)
	s.push(e)
	return e.res
}

// recent says whether the entry for q is too new to be replaced.
func (c *Cache) recent(hash uint64, q Query, now time.Time) bool {
	s := c.shard(hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.find(hash, q)
	return e != nil && now.Sub(e.res.since) < refreshAfter
}

// store takes e in place of those it replaces, and evicts what has no room beside it.
func (c *Cache) store(e *entry, q Query) {
	s := c.shard(e.hash)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.size > s.max {
		return
	}
	variants := 0
	var last *entry
	for old := s.byHash[e.hash]; old != nil; {
		next := old.chain
		if old.is(q) {
			if selected(old.selectors, q.Request) {
				s.remove(old)
			} else if variants++; variants >= maxVariants {
				last = old // the chain is ordered by age
			}
		}
		old = next
	}
	if last != nil {
		s.remove(last)
		s.evicted++
	}
	for s.bytes+e.size > s.max {
		s.remove(s.oldest)
		s.evicted++
	}
	e.chain = s.byHash[e.hash]
	s.byHash[e.hash] = e
	s.push(e)
	s.entries, s.bytes, s.stored = s.entries+1, s.bytes+e.size, s.stored+1
}

// remove forgets an entry. mu held.
func (s *shard) remove(e *entry) {
	if first := s.byHash[e.hash]; first == e {
		if e.chain == nil {
			delete(s.byHash, e.hash)
		} else {
			s.byHash[e.hash] = e.chain
		}
	} else {
		for first.chain != e {
			first = first.chain
		}
		first.chain = e.chain
	}
	s.unlink(e)
	s.entries, s.bytes = s.entries-1, s.bytes-e.size
}

// push makes e the newest of the order of use. mu held.
func (s *shard) push(e *entry) {
	e.older, e.newer = s.newest, nil
	if s.newest != nil {
		s.newest.newer = e
	} else {
		s.oldest = e
	}
	s.newest = e
}

func (s *shard) unlink(e *entry) {
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		s.newest = e.older
	}
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		s.oldest = e.newer
	}
}
