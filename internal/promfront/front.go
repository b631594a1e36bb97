package promfront

import (
	"cmp"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/prometheus/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// Front writes OTLP metrics into a Prometheus storage. It is safe for concurrent use.
type Front struct {
	sink        storage.AppendableV2
	opts        Options
	translation translation
	seeds       [2]maphash.Seed
	writers     sync.Pool // of *writer
	ids         atomic.Uint64
	series      atomic.Int64 // in the cache
	sources     atomic.Int64 // whose points go to overflow series
	forgotten   atomic.Int64 // when Sweep last looked for what is to be forgotten, in ms
	refusals    refusals

	mu        sync.RWMutex // guards the maps; taken after the lock of a group, if with one
	resources map[string]*resource
	groups    map[[2]string]*group
	metrics   map[string]*metricCount
}

// New returns a Front that writes into sink. The sink must return a reference other than 0 from Append, by which later
// samples of the series are appended with empty labels; for a reference that it no longer knows it must return an error
// that is tsdb.ErrInvalidSample, as a TSDB does, and is then given the labels again.
func New(sink storage.AppendableV2, o Options) (*Front, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Front{
		sink:        sink,
		opts:        o,
		translation: newTranslation(o),
		seeds:       [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		resources:   map[string]*resource{},
		groups:      map[[2]string]*group{},
		metrics:     map[string]*metricCount{},
	}, nil
}

// resource returns the resource whose key is given, and makes it if need be.
func (f *Front) resource(key []byte, res pcommon.Resource) *resource {
	f.mu.RLock()
	r := f.resources[string(key)]
	f.mu.RUnlock()
	if r != nil {
		return r
	}
	id := identityOf(res)
	f.mu.Lock()
	defer f.mu.Unlock()
	if r := f.resources[string(key)]; r != nil {
		return r
	}
	g := f.groups[id]
	if g == nil {
		g = &group{id: f.ids.Add(1), job: id[0], instance: id[1], streams: map[seriesID]*stream{}}
		f.groups[id] = g
	}
	g.live++
	r = &resource{key: string(key), group: g}
	f.resources[r.key] = r
	return r
}

// metric returns the count of a metric for one more family.
func (f *Front) metric(name string) *metricCount {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := f.metrics[name]
	if c == nil {
		c = &metricCount{}
		f.metrics[name] = c
	}
	c.families++
	return c
}

// identityOf is the job and instance that the converter makes labels of.
func identityOf(res pcommon.Resource) [2]string {
	var id [2]string
	if name, ok := res.Attributes().Get("service.name"); ok {
		id[0] = name.AsString()
		if namespace, ok := res.Attributes().Get("service.namespace"); ok {
			id[0] = namespace.AsString() + "/" + id[0]
		}
	}
	if instance, ok := res.Attributes().Get("service.instance.id"); ok {
		id[1] = instance.AsString()
	}
	return id
}

// lock finds the resources of md and locks their groups.
func (w *writer) lock(md pmetric.Metrics) {
	for {
		w.resources, w.groups = w.resources[:0], w.groups[:0]
		for _, rm := range md.ResourceMetrics().All() {
			w.key = w.appendSorted(w.key[:0], rm.Resource().Attributes())
			r := w.front.resource(w.key, rm.Resource())
			w.resources = append(w.resources, r)
			w.groups = append(w.groups, r.group)
		}
		slices.SortFunc(w.groups, func(a, b *group) int { return cmp.Compare(a.id, b.id) })
		w.groups = slices.Compact(w.groups)
		for _, g := range w.groups {
			g.mu.Lock()
		}
		// Sweep may have dropped one in between.
		if !slices.ContainsFunc(w.resources, func(r *resource) bool { return r.dead }) {
			return
		}
		w.unlock()
	}
}

func (w *writer) unlock() {
	for _, g := range w.groups {
		g.mu.Unlock()
	}
}

// Offender is a metric or a resource with many series.
type Offender struct {
	Name   string // of a metric as OTLP names it, of a resource job/instance
	Series int
}

// Offenders are the metrics and resources with the most series, most first.
type Offenders struct {
	Series    int // in all
	Metrics   []Offender
	Resources []Offender
}

// Offenders returns the n metrics and the n resources with the most series. With 0 it only has their number, and is cheap.
func (f *Front) Offenders(n int) Offenders {
	out := Offenders{Series: int(f.series.Load())}
	if n <= 0 {
		return out
	}
	f.mu.RLock()
	for name, c := range f.metrics {
		out.Metrics = append(out.Metrics, Offender{name, int(c.series.Load())})
	}
	f.mu.RUnlock()
	for _, g := range f.allGroups() {
		g.mu.Lock()
		for _, r := range g.resources {
			out.Resources = append(out.Resources, Offender{g.job + "/" + g.instance, r.series})
		}
		g.mu.Unlock()
	}
	out.Metrics, out.Resources = most(out.Metrics, n), most(out.Resources, n)
	return out
}

func most(all []Offender, n int) []Offender {
	slices.SortFunc(all, func(a, b Offender) int {
		return cmp.Or(cmp.Compare(b.Series, a.Series), cmp.Compare(a.Name, b.Name))
	})
	return slices.Clip(all[:min(n, len(all))])
}

func (f *Front) allGroups() []*group {
	f.mu.RLock()
	defer f.mu.RUnlock()
	all := make([]*group, 0, len(f.groups))
	for _, g := range f.groups {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b *group) int { return cmp.Compare(a.id, b.id) })
	return all
}
