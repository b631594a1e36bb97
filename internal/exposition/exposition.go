package exposition

import (
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// Options are fixed for the life of an Exposition.
type Options struct {
	// Expiration is how long a metric is shown after its last sample.
	Expiration time.Duration

	// Timestamps shows the time of each sample. Without, a scraper takes the time of the scrape.
	Timestamps bool

	// OpenMetrics offers the OpenMetrics text format to scrapers that prefer it.
	OpenMetrics bool

	// CreatedLines shows start times in OpenMetrics text as _created samples. Scrapers that do not ask for start times
	// store them as series of their own. Protobuf carries start times anyway.
	CreatedLines bool

	// Compression says which scrapers get a compressed answer.
	Compression Compression

	// ConstLabels are added to every series that does not have the label yet.
	ConstLabels map[string]string

	// TargetFamily is the family, as it comes, whose series describe targets. They get no ConstLabels, as they are joined
	// by the labels that they share with other series, and no Timestamps, as they are true until they are gone.
	TargetFamily string

	// FamilyName and LabelName rename families and labels, once when a metric is new. Nil leaves them as they come.
	FamilyName func(string) string
	LabelName  func(string) string

	// Now is the clock that Expiration is measured with.
	Now func() time.Time
}

// Exposition holds what is shown. See the package comment.
type Exposition struct {
	opts  Options
	seed  maphash.Seed
	stats counters
	pools pools

	// mu guards all below and every family and metric. It is held for a whole Commit and, by a scrape, for reading one
	// chunk of a family; never while a scraper is written to.
	mu       sync.RWMutex
	table    table
	metrics  map[uint64]*metric // by family and labels, see metric.next
	families map[familyKey]*family
	byName   map[string][]*family // oldest first: the first one gives the header
	bounds   map[float64]*bound   // of buckets; few, shared by all histograms
	ranks    map[float64]*bound   // of quantiles
	order    []*family            // as scraped; nil when families came or went
}

// New returns an empty Exposition.
func New(o Options) *Exposition {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Exposition{
		opts:     o,
		seed:     maphash.MakeSeed(),
		metrics:  map[uint64]*metric{},
		families: map[familyKey]*family{},
		byName:   map[string][]*family{},
		bounds:   map[float64]*bound{},
		ranks:    map[float64]*bound{},
	}
}

// Sweep forgets what has expired at now, and the parts of histograms that their newest point no longer had. It costs 7 ns
// per series (BenchmarkSweep), during which nothing is written or read, and should run several times per Expiration.
func (x *Exposition) Sweep(now time.Time) {
	oldest := x.oldestAt(now)
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, f := range x.families {
		f.settle()
		for _, m := range f.metrics {
			switch {
			case m.seen.Load() < oldest:
				x.remove(m)
				x.stats.expired.Add(1)
			case len(m.parts) > 1:
				x.prune(m)
			}
		}
		f.settle()
	}
	for key, f := range x.families {
		if len(f.metrics) == 0 {
			x.removeFamily(key, f)
		}
	}
}

// scraped returns the families in the order of a page. The slice and each family's metrics are never changed in place.
func (x *Exposition) scraped() []*family {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.order == nil {
		x.order = make([]*family, 0, len(x.families))
		for _, f := range x.families {
			x.order = append(x.order, f)
		}
		slices.SortFunc(x.order, func(a, b *family) int {
			if a.name != b.name {
				return strings.Compare(a.name, b.name)
			}
			return int(a.born) - int(b.born)
		})
	}
	return x.order
}

// familyKey identifies a family. Two of the same name and another type are a conflict, but both are kept.
type familyKey struct {
	name string
	typ  model.MetricType
}

// family is a name with a type, and the metrics under it.
type family struct {
	familyKey
	help, unit string
	target     bool   // Options.TargetFamily
	legacy     bool   // the name needs no quotes
	born       uint32 // order of creation

	metrics []*metric // sorted by labels; never changed in place, scrapes hold it without the lock
	fresh   []*metric // came since the last settle
	gone    int       // metrics among the two that were removed since
}

// settle brings fresh and gone into metrics.
func (f *family) settle() {
	if len(f.fresh) == 0 && f.gone == 0 {
		return
	}
	slices.SortFunc(f.fresh, compareMetrics)
	for _, m := range f.fresh {
		m.parts = append(make([]part, 0, len(m.parts)), m.parts...) // they came one by one, with room for as many again
	}
	merged := make([]*metric, 0, len(f.metrics)+len(f.fresh)-f.gone)
	old, fresh := f.metrics, f.fresh
	for len(old) > 0 || len(fresh) > 0 {
		from := &old
		if len(old) == 0 || len(fresh) > 0 && compareMetrics(fresh[0], old[0]) < 0 {
			from = &fresh
		}
		if m := (*from)[0]; !m.removed {
			merged = append(merged, m)
		}
		*from = (*from)[1:]
	}
	f.metrics, f.fresh, f.gone = merged, nil, 0
}

func compareMetrics(a, b *metric) int { return labels.Compare(a.labels, b.labels) }

func (x *Exposition) removeFamily(key familyKey, f *family) {
	delete(x.families, key)
	x.order = nil
	rest := slices.DeleteFunc(slices.Clone(x.byName[f.name]), func(other *family) bool { return other == f })
	if len(rest) == 0 {
		delete(x.byName, f.name)
		return
	}
	x.byName[f.name] = rest
}
