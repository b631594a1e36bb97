package promfront

import (
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// group is all resources with one job and instance. Only they can write the same series, so the group is what is locked.
type group struct {
	id            uint64 // groups are locked in this order
	job, instance string

	live int // resources in Front.resources; guarded by Front.mu

	mu        sync.Mutex // guards the rest, and all resources, families, entries and streams of the group
	resources []*resource
	streams   map[seriesID]*stream
	// shared says that several resources of the group export in turn, so that a new one does not replace an old one.
	shared bool
}

// seriesID stands for the labels of the first series of a stream. It is 128 bits of two seeded hashes, because keeping
// the labels would double the cache: with 10 million series the odds of one collision are 1 in 10^24.
type seriesID [2]uint64

// resource is what one OTLP resource has sent.
type resource struct {
	key   string
	group *group

	joined, dead bool
	families     map[string]*family
	first        *family
	series       int

	info      *stream // target_info; nil if there is none or it is not known yet
	infoKnown bool
	replaced  bool    // target_info is marked stale because another resource took the place
	infoTimes []int64 // of target_info in the Write infoWrite
	infoWrite uint64

	heard    int64 // when the last export came, in ms
	newest   int64 // time of the newest sample in ms
	export   int64 // time of the first sample of the last export in ms
	interval int64 // between exports, in ms; 0 if not known
	stale    bool
	write    uint64 // the Write that was last heard
}

// family is one metric of a resource and scope.
type family struct {
	scope, name, unit string
	kind              kind
	next              *family // what followed in the last export
	dead              bool

	opts    storage.AppendV2Options // name and metadata as Prometheus has them; empty before the first translation
	entries map[string]*entry
	first   *entry
	bounds  []float64 // of the stream that was made last, to be shared
	count   *metricCount
	over    *overflow // nil without points over a limit
}

// entry is one attribute set in one order.
type entry struct {
	key    string
	next   *entry // what followed in the last export
	stream *stream
	bad    *badPoint // instead of a stream: the converter turned it down
	source *source   // instead of a stream: it is summed into the overflow series
	dead   bool
}

// badPoint is what the converter said.
type badPoint struct {
	err  error
	seen int64
}

// stream is the series of one point: one for a number, all buckets of a histogram. Entries that mean the same series,
// because attributes came in another order or a resource attribute that is no label has changed, share it.
type stream struct {
	id     seriesID
	refs   []storage.SeriesRef // 0: not known
	bounds []float64           // of buckets, or the quantiles of a summary
	total  *total              // of a delta stream

	start pcommon.Timestamp
	t     int64  // time of the last sample in ms
	write uint64 // the Write that brought it
	seen  int64  // when, in ms of the clock
	users int32  // entries, and the like
	stale bool

	owner  *resource // for which its series count; nil for target_info
	metric *metricCount

	one [1]storage.SeriesRef // refs of a number, without another allocation
}

// metricCount is how many series one metric has over all resources.
type metricCount struct {
	series   atomic.Int64
	families int // guarded by Front.mu
}

func newStream(id seriesID, slots int, bounds []float64) *stream {
	s := &stream{id: id}
	s.shape(slots, bounds)
	return s
}

// shape gives the stream its series, of which no reference is known.
func (s *stream) shape(slots int, bounds []float64) {
	s.bounds = bounds
	s.total = nil
	s.start = 0
	if slots == 1 {
		s.one[0] = 0
		s.refs = s.one[:]
		return
	}
	s.refs = make([]storage.SeriesRef, slots)
}

// is reports whether f is the metric m.
func (f *family) is(scope string, m pmetric.Metric, k kind) bool {
	return !f.dead && f.kind == k && f.name == m.Name() && f.unit == m.Unit() && f.scope == scope
}

// find returns the family of m and makes it if need be. Metrics come in the order of the last export, so the first guess
// is what followed prev then.
func (r *resource) find(w *writer, prev *family, m pmetric.Metric, k kind) *family {
	guess := &r.first
	if prev != nil {
		guess = &prev.next
	}
	if f := *guess; f != nil && f.is(w.scope, m, k) {
		return f
	}
	w.key = appendString(w.key[:0], w.scope)
	w.key = appendString(w.key, m.Name())
	w.key = appendString(w.key, m.Unit())
	w.key = append(w.key, byte(k))
	f := r.families[string(w.key)]
	if f == nil {
		f = &family{
			scope: w.scope, name: m.Name(), unit: m.Unit(), kind: k,
			entries: map[string]*entry{},
			count:   w.front.metric(m.Name()),
		}
		if r.families == nil {
			r.families = map[string]*family{}
		}
		r.families[string(w.key)] = f
	}
	*guess = f
	return f
}

// find is the same for points. Comparing attributes with the key one by one, without making theirs, was no faster.
func (f *family) find(w *writer, prev *entry, attrs pcommon.Map) *entry {
	w.key = appendAttributes(w.key[:0], attrs)
	guess := &f.first
	if prev != nil {
		guess = &prev.next
	}
	if e := *guess; e != nil && !e.dead && e.key == string(w.key) {
		return e
	}
	e := f.entries[string(w.key)]
	if e == nil {
		e = &entry{key: string(w.key)}
		f.entries[e.key] = e
	}
	*guess = e
	return e
}

// identify returns the id of a series among those of the same type of metric.
func (f *Front) identify(buf []byte, ls labels.Labels, k kind) (seriesID, []byte) {
	buf = append(ls.Bytes(buf[:0]), byte(k&kindType))
	return seriesID{maphash.Bytes(f.seeds[0], buf), maphash.Bytes(f.seeds[1], buf)}, buf
}

// share returns the bounds of the family if they are equal, so that a thousand streams hold them once.
func (f *family) share(bounds []float64) []float64 {
	if !slices.Equal(f.bounds, bounds) {
		f.bounds = slices.Clone(bounds)
	}
	return f.bounds
}
