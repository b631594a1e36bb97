package remotewrite

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/frame"
)

// series is one series of the lead, or of a sender that stands alone.
type series struct {
	frame.Series
	ref     storage.SeriesRef
	own     labels.Labels // before relabelling; only of a sender that stands alone
	dropped bool          // by relabelling
	round   atomic.Uint32 // of the cache's, when it was last seen
}

// cache finds series by reference. References of a lead rise by one for each new series, and a batch mostly goes through
// them in that order, so they lie in pages: an appender keeps the last page and needs neither lock nor hash for the next
// 63 series.
type cache struct {
	labelsOf func(storage.SeriesRef) (labels.Labels, bool) // nil: the sender stands alone and gives out references
	external labels.Labels
	relabel  []*relabel.Config

	round atomic.Uint32

	mu       sync.RWMutex // guards all below
	pages    map[uint64]*page
	byHash   map[uint64][]*series // of a sender that stands alone
	lastRef  storage.SeriesRef
	families map[string]*frame.Metadata
	builder  *labels.Builder
}

const pageSize = 64

type page [pageSize]atomic.Pointer[series]

func newCache(cfg *Config, lead Lead) *cache {
	c := &cache{
		external: cfg.ExternalLabels,
		relabel:  cfg.WriteRelabel,
		pages:    map[uint64]*page{},
		byHash:   map[uint64][]*series{},
		families: map[string]*frame.Metadata{},
		builder:  labels.NewBuilder(labels.EmptyLabels()),
	}
	if lead != nil {
		c.labelsOf = lead.Labels
	}
	return c
}

// lookup is what one appender remembers between two series.
type lookup struct {
	page   *page
	number uint64
}

// find returns the series of a reference, or of labels if the sender stands alone.
func (c *cache) find(l *lookup, ref storage.SeriesRef, ls labels.Labels) (*series, error) {
	if ref != 0 {
		if s := c.known(l, ref); s != nil {
			if round := c.round.Load(); s.round.Load() != round {
				s.round.Store(round)
			}
			return s, nil
		}
	}
	if c.labelsOf == nil {
		return c.alone(ref, ls)
	}
	return c.fromLead(ref, ls)
}

func (c *cache) known(l *lookup, ref storage.SeriesRef) *series {
	number := uint64(ref) / pageSize
	if l.page == nil || l.number != number {
		c.mu.RLock()
		l.page, l.number = c.pages[number], number
		c.mu.RUnlock()
		if l.page == nil {
			return nil
		}
	}
	return l.page[ref%pageSize].Load()
}

func (c *cache) fromLead(ref storage.SeriesRef, ls labels.Labels) (*series, error) {
	if ref == 0 {
		return nil, fmt.Errorf("series %s comes without the lead's reference: %w", ls, tsdb.ErrInvalidSample)
	}
	if ls.IsEmpty() {
		var ok bool
		if ls, ok = c.labelsOf(ref); !ok {
			return nil, fmt.Errorf("the lead does not know series reference %d: %w", ref, tsdb.ErrInvalidSample)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.at(ref); s != nil {
		return s, nil
	}
	return c.add(ref, ls), nil
}

func (c *cache) alone(ref storage.SeriesRef, ls labels.Labels) (*series, error) {
	if ls.IsEmpty() {
		return nil, fmt.Errorf("empty labelset for unknown series reference %d: %w", ref, tsdb.ErrInvalidSample)
	}
	if name, twice := ls.HasDuplicateLabelNames(); twice {
		return nil, fmt.Errorf("label name %q is not unique in %s: %w", name, ls, tsdb.ErrInvalidSample)
	}
	hash := ls.Hash()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.byHash[hash] {
		if labels.Equal(s.own, ls) {
			return s, nil
		}
	}
	c.lastRef++
	s := c.add(c.lastRef, ls)
	c.byHash[hash] = append(c.byHash[hash], s)
	return s, nil
}

// at returns what is there already. mu held.
func (c *cache) at(ref storage.SeriesRef) *series {
	if p := c.pages[uint64(ref)/pageSize]; p != nil {
		return p[ref%pageSize].Load()
	}
	return nil
}

// add makes a series. mu held.
func (c *cache) add(ref storage.SeriesRef, own labels.Labels) *series {
	s := &series{ref: ref}
	s.round.Store(c.round.Load())
	sent, keep := c.process(own)
	s.dropped = !keep
	s.Labels, s.Lane = sent, laneOf(sent)
	if c.labelsOf == nil {
		s.own = own
	}
	number := uint64(ref) / pageSize
	p := c.pages[number]
	if p == nil {
		p = new(page)
		c.pages[number] = p
	}
	p[ref%pageSize].Store(s)
	return s
}

// process gives labels the form in which they are sent: with external labels, where the series' own win, and relabelled.
// mu held.
func (c *cache) process(ls labels.Labels) (labels.Labels, bool) {
	if c.external.IsEmpty() && len(c.relabel) == 0 {
		return ls, true
	}
	c.builder.Reset(ls)
	c.external.Range(func(l labels.Label) {
		if c.builder.Get(l.Name) == "" {
			c.builder.Set(l.Name, l.Value)
		}
	})
	if !relabel.ProcessBuilder(c.builder, c.relabel...) {
		return labels.EmptyLabels(), false
	}
	ls = c.builder.Labels()
	return ls, !ls.IsEmpty()
}

// sent is how a series of the lead is sent, for one that was read back.
func (c *cache) sent(own labels.Labels) (ls labels.Labels, m *frame.Metadata, keep bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ls, keep = c.process(own); !keep {
		return ls, nil, false
	}
	name := own.Get(model.MetricNameLabel)
	for _, suffix := range [...]string{"", "_bucket", "_sum", "_count", "_total", "_created", "_info"} {
		family, ok := strings.CutSuffix(name, suffix)
		if m := c.families[family]; ok && m != nil {
			return ls, m, true
		}
	}
	return ls, nil, true
}

// metadata returns all families, for version 1, which sends their metadata by itself.
func (c *cache) metadata() []frame.Metadata {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make([]frame.Metadata, 0, len(c.families))
	for _, m := range c.families {
		out = append(out, *m)
	}
	return out
}

func laneOf(ls labels.Labels) uint8 { return uint8(ls.Hash() % lanes) }

// describe notes the metadata of a series' family.
func (c *cache) describe(s *series, family string, m metadata.Metadata) {
	if m.IsEmpty() {
		return
	}
	if old := s.Metadata.Load(); old != nil && old.Metadata == m && (family == "" || family == old.Family) {
		return
	}
	if family == "" {
		family = s.Labels.Get(model.MetricNameLabel)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	shared := c.families[family]
	if shared == nil || shared.Metadata != m {
		shared = &frame.Metadata{Family: string(append([]byte(nil), family...)), Metadata: m}
		c.families[shared.Family] = shared
	}
	s.Metadata.Store(shared)
}

// sweep forgets the series that no batch has named in the last two rounds, and families without series, and begins
// another round.
func (c *cache) sweep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	round := c.round.Load()
	inUse := map[*frame.Metadata]struct{}{}
	for number, p := range c.pages {
		empty := true
		for i := range p {
			s := p[i].Load()
			if s == nil {
				continue
			}
			if round-s.round.Load() >= 2 {
				p[i].Store(nil)
				c.forget(s)
				continue
			}
			empty = false
			inUse[s.Metadata.Load()] = struct{}{}
		}
		if empty {
			delete(c.pages, number)
		}
	}
	for family, m := range c.families {
		if _, ok := inUse[m]; !ok {
			delete(c.families, family)
		}
	}
	c.round.Store(round + 1)
}

// forget takes s out of the index of a sender that stands alone. mu held.
func (c *cache) forget(s *series) {
	if c.labelsOf != nil {
		return
	}
	hash := s.own.Hash()
	rest := c.byHash[hash][:0]
	for _, other := range c.byHash[hash] {
		if other != s {
			rest = append(rest, other)
		}
	}
	if len(rest) == 0 {
		delete(c.byHash, hash)
		return
	}
	c.byHash[hash] = rest
}
