package exposition

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

// identity is where a series belongs.
type identity struct {
	familyKey
	role   role
	at     float64 // of buckets and quantiles
	native bool
	target bool
	labels labels.Labels // without name, le and quantile
}

// identify reads an identity off the labels of a series and what its writer says about the family.
func identify(ls labels.Labels, native bool, opts storage.AppendV2Options) (identity, error) {
	if ls.IsEmpty() {
		return identity{}, fmt.Errorf("empty labelset: %w", tsdb.ErrInvalidSample)
	}
	name := ls.Get(model.MetricNameLabel)
	if name == "" || !isClean(name) {
		return identity{}, invalid("a series needs a name, in UTF-8", ls)
	}
	if label, twice := ls.HasDuplicateLabelNames(); twice {
		return identity{}, invalid(fmt.Sprintf("label name %q is not unique", label), ls)
	}
	id := identity{native: native}
	id.familyKey = familyKey{name: name, typ: opts.Metadata.Type}
	id.role, id.at = partOf(ls, name, native, opts)
	if id.role != roleValue || native {
		id.name = opts.MetricFamilyName
		if id.name == "" {
			id.name = name
		}
	}
	b := labels.NewBuilder(ls).Del(model.MetricNameLabel)
	switch {
	case native:
		id.typ = model.MetricTypeHistogram
	case id.role == roleBucket:
		b.Del(model.BucketLabel)
	case id.role == roleQuantile:
		b.Del(model.QuantileLabel)
	case id.role == roleValue:
		id.typ = valueType(id.typ)
	}
	id.name = strings.Clone(id.name) // the family name lives for the call only
	id.labels = b.Labels()
	return id, nil
}

// rename applies the renaming options and adds the constant labels.
func (x *Exposition) rename(id identity) identity {
	id.target = id.name == x.opts.TargetFamily && id.name != ""
	if x.opts.FamilyName != nil {
		id.name = x.opts.FamilyName(id.name)
	}
	if x.opts.LabelName == nil && len(x.opts.ConstLabels) == 0 && allClean(id.labels) {
		return id
	}
	b := labels.NewBuilder(labels.EmptyLabels())
	id.labels.Range(func(l labels.Label) {
		name := clean(l.Name)
		if x.opts.LabelName != nil {
			name = x.opts.LabelName(name)
		}
		value := clean(l.Value)
		if other := b.Get(name); other != "" {
			value = other + ";" + value // as OTLP's translation joins attributes that fall together
		}
		b.Set(name, value)
	})
	if !id.target {
		for name, value := range x.opts.ConstLabels {
			if b.Get(name) == "" {
				b.Set(name, value)
			}
		}
	}
	id.labels = b.Labels()
	return id
}

// partOf recognises the float series of a histogram or summary. Everything else is a value of its own.
func partOf(ls labels.Labels, name string, native bool, opts storage.AppendV2Options) (role, float64) {
	suffix, ok := strings.CutPrefix(name, opts.MetricFamilyName)
	histogram := opts.Metadata.Type == model.MetricTypeHistogram
	summary := opts.Metadata.Type == model.MetricTypeSummary
	if native || !ok || opts.MetricFamilyName == "" || !histogram && !summary {
		return roleValue, 0
	}
	switch {
	case suffix == suffixes[roleSum]:
		return roleSum, 0
	case suffix == suffixes[roleCount]:
		return roleCount, 0
	case histogram && suffix == suffixes[roleBucket]:
		if at, err := strconv.ParseFloat(ls.Get(model.BucketLabel), 64); err == nil && !math.IsNaN(at) {
			return roleBucket, at
		}
	case summary && suffix == "":
		if at, err := strconv.ParseFloat(ls.Get(model.QuantileLabel), 64); err == nil && !math.IsNaN(at) {
			return roleQuantile, at
		}
	}
	return roleValue, 0
}

// valueType is the type under which a single value can be shown.
func valueType(t model.MetricType) model.MetricType {
	switch t {
	case model.MetricTypeCounter, model.MetricTypeGauge:
		return t
	case model.MetricTypeInfo, model.MetricTypeStateset:
		return model.MetricTypeGauge // what they are in the formats that do not know them
	}
	return model.MetricTypeUnknown
}

// clean replaces what the parsers of scrapers stumble over, at the price of the whole page: what is no UTF-8, and NUL.
func clean(s string) string {
	if isClean(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func isClean(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

func allClean(ls labels.Labels) bool {
	all := true
	ls.Range(func(l labels.Label) { all = all && isClean(l.Name) && isClean(l.Value) })
	return all
}

func invalid(what string, ls labels.Labels) error {
	return fmt.Errorf("%s: %s: %w", what, ls, tsdb.ErrInvalidSample)
}

// holds reports whether the series exists.
func (x *Exposition) holds(id identity) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	m := x.find(id)
	switch {
	case m == nil:
		return false
	case id.native:
		return m.native != nil
	}
	for i := range m.parts {
		if b := m.parts[i].bound; b.role == id.role && b.at == id.at {
			return true
		}
	}
	return false
}

// create finds the series of id or makes it. shown is the time of the point that is shown.
func (x *Exposition) create(id identity, now int64, opts storage.AppendV2Options) (ref storage.SeriesRef, shown int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	m := x.find(id)
	if m == nil {
		m = x.addMetric(id, opts)
	}
	m.seen.Store(now)
	shown = math.MinInt64
	if m.epoch > 0 {
		shown = m.time
	}
	if !id.native {
		return x.table.ref(x.part(m, x.bound(id.role, id.at))), shown
	}
	if m.native == nil {
		m.native = &native{slot: x.table.take(m, nativePart)}
	}
	return x.table.ref(m.native.slot), shown
}

// part returns the slot of the part at b, which may be a new one.
func (x *Exposition) part(m *metric, b *bound) (index uint32) {
	at, found := m.find(b)
	if !found {
		m.insert(at, part{bound: b, slot: x.table.take(m, int32(at))})
		x.renumber(m, at+1)
	} else if m.parts[at].slot == noSlot {
		m.parts[at].slot = x.table.take(m, int32(at)) // from a native histogram until now
	}
	return m.parts[at].slot
}

// insert puts p at index i. Buckets come in ascending order, so growing in one step would copy often.
func (m *metric) insert(i int, p part) {
	m.parts = append(m.parts, part{})
	copy(m.parts[i+1:], m.parts[i:])
	m.parts[i] = p
}

// renumber tells the table where the parts from index i on have moved.
func (x *Exposition) renumber(m *metric, i int) {
	for ; i < len(m.parts); i++ {
		if s := m.parts[i].slot; s != noSlot {
			x.table.slots[s].part = int32(i)
		}
	}
}

// find returns the metric of id or nil; mu held.
func (x *Exposition) find(id identity) *metric {
	f := x.families[id.familyKey]
	if f == nil {
		return nil
	}
	for m := x.metrics[x.hash(id.familyKey, id.labels)]; m != nil; m = m.next {
		if m.family == f && labels.Equal(m.labels, id.labels) {
			return m
		}
	}
	return nil
}

func (x *Exposition) hash(key familyKey, ls labels.Labels) uint64 {
	var h maphash.Hash
	h.SetSeed(x.seed)
	h.WriteString(key.name)
	h.WriteByte(0xff) // not in UTF-8
	h.WriteString(string(key.typ))
	h.WriteByte(0xff)
	var sum [8]byte
	binary.LittleEndian.PutUint64(sum[:], ls.Hash())
	h.Write(sum[:])
	return h.Sum64()
}

// addMetric makes the metric of id, and its family if it is the first one; mu held.
func (x *Exposition) addMetric(id identity, opts storage.AppendV2Options) *metric {
	f := x.families[id.familyKey]
	if f == nil {
		f = x.addFamily(id.familyKey)
		f.target = id.target
	}
	f.describe(opts, &x.stats)
	x.displace(f, id.labels)
	m := &metric{family: f, labels: id.labels, hash: x.hash(id.familyKey, id.labels)}
	m.text, m.legacy = labelText(id.labels)
	m.next = x.metrics[m.hash]
	x.metrics[m.hash] = m
	f.fresh = append(f.fresh, m)
	return m
}

func (x *Exposition) addFamily(key familyKey) *family {
	x.stats.families++
	f := &family{
		familyKey: key,
		legacy:    model.LegacyValidation.IsValidMetricName(key.name),
		born:      x.stats.families,
	}
	if others := x.byName[key.name]; len(others) > 0 {
		x.stats.typeConflicts.Add(1)
		f.help = others[0].help
	}
	x.families[key] = f
	x.byName[key.name] = append(x.byName[key.name], f)
	x.order = nil
	return f
}

// describe compares what the writer of a new metric says with what the family shows. The first one wins.
func (f *family) describe(opts storage.AppendV2Options, stats *counters) {
	switch help := clean(opts.Metadata.Help); {
	case f.help == "":
		f.help = help
	case help != "" && help != f.help:
		stats.helpConflicts.Add(1)
	}
	if f.unit == "" {
		f.unit = clean(opts.Metadata.Unit)
	}
}

// displace removes the metric that would show the very same series under another type; mu held.
func (x *Exposition) displace(f *family, ls labels.Labels) {
	for _, other := range x.byName[f.name] {
		if other == f || other.composite() != f.composite() {
			continue
		}
		for m := x.metrics[x.hash(other.familyKey, ls)]; m != nil; m = m.next {
			if m.family == other && labels.Equal(m.labels, ls) {
				x.remove(m)
				break
			}
		}
	}
}

// composite reports whether the family's metrics are shown as several series.
func (f *family) composite() bool {
	return f.typ == model.MetricTypeHistogram || f.typ == model.MetricTypeSummary
}

// bound returns the one bound of that role and position; mu held.
func (x *Exposition) bound(r role, at float64) *bound {
	switch r {
	case roleBucket:
		return intern(x.bounds, r, at, model.BucketLabel)
	case roleQuantile:
		return intern(x.ranks, r, at, model.QuantileLabel)
	case roleSum:
		return theSum
	case roleCount:
		return theCount
	}
	return theValue
}

// maxBounds is how many bounds of a role are shared. Applications choose boundaries by hand, a few dozens in all; beyond this
// number, 1 MB, something makes them up and each part gets one of its own that goes with it.
const maxBounds = 10_000

func intern(known map[float64]*bound, r role, at float64, label string) *bound {
	if b := known[at]; b != nil {
		return b
	}
	text := string(appendFloat(nil, at))
	b := &bound{
		role: r, at: at,
		text:        label + `="` + text + `"} `,
		openMetrics: label + `="` + canonical(text) + `"} `,
	}
	if len(known) < maxBounds {
		known[at] = b
	}
	return b
}
