package remotewrite

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/frame"
	"github.com/tailgate-otel/tailgate/internal/remotewrite/journal"
	"github.com/tailgate-otel/tailgate/internal/remotewrite/wire"
)

// readBack reads one step of the oldest hole from the lead, sends it, and waits until all of it has been delivered. The
// steps of a hole follow each other in time, and the journal goes on only when no hole is left, so every series is sent
// in the order of its samples. It says false if the lead could not be read: then the step is done again from the start.
//
// The position in the journal is taken before the lead is asked. What stands before it was committed to the lead earlier
// and so has been read; the ledger keeps the pump from sending it a second time.
func (p *pump) readBack(ctx context.Context) bool {
	p.flush(ctx)
	r, ok := p.s.ledger.begin(max(p.stepMillis, p.s.cfg.ReadBackStep.Milliseconds()), p.s.journal.End())
	if !ok {
		return true
	}
	delivered := &sync.WaitGroup{}
	step := &step{pump: p, times: r, delivered: delivered, dictionary: frame.NewDictionary(),
		symbols: map[string]uint32{}, metas: map[*frame.Metadata]uint32{}}
	err := step.read(ctx)
	p.flushFrom(ctx, &step.dictionary)
	if !wait(ctx, delivered) {
		return false
	}
	if err != nil {
		p.s.log.Error("remote write cannot read back from the local database, and tries again",
			slog.Time("from", time.UnixMilli(r.From)), slog.Time("to", time.UnixMilli(r.To)), slog.Any("error", err))
		return false
	}
	if err := p.s.ledger.end(); err != nil {
		p.s.diskError("note what was read back", err)
	}
	p.stepMillis = 0
	if len(step.dictionary.Series) == 0 {
		// Where there is nothing the steps grow: one sample of 1970 makes a hole of millions of steps.
		p.stepMillis = 2 * (r.To - r.From + 1)
	}
	return true
}

// wait says whether all was delivered before ctx ended.
func wait(ctx context.Context, delivered *sync.WaitGroup) bool {
	delivered.Wait() // batches that are abandoned count as well, so this ends with ctx
	return ctx.Err() == nil
}

// step is one range of time of all series, as it is read.
type step struct {
	pump      *pump
	times     journal.Range
	delivered *sync.WaitGroup

	dictionary frame.Dictionary
	symbols    map[string]uint32
	metas      map[*frame.Metadata]uint32
	exemplars  map[uint64][]exemplar.QueryResult // by hash of the series' labels
	buf        []byte
}

func (s *step) read(ctx context.Context) error {
	lead := s.pump.s.lead
	every := labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, ".*")
	from, err := s.readExemplars(ctx, every)
	if err != nil {
		return err
	}
	q, err := lead.Querier(from, s.times.To)
	if err != nil {
		return err
	}
	defer q.Close() //nolint:errcheck // it was only read
	set := q.Select(ctx, false, &storage.SelectHints{Start: from, End: s.times.To}, every)
	var it chunkenc.Iterator
	for set.Next() && ctx.Err() == nil {
		series := set.At()
		it = series.Iterator(it)
		if err := s.series(ctx, series.Labels(), it); err != nil {
			return err
		}
	}
	return set.Err()
}

// exemplarReach is how long before its sample an exemplar may lie: two of the longest usual intervals between samples.
const exemplarReach = 2 * time.Minute

// readExemplars reads those of the range, as far as the lead still has them, and says from when on samples are needed. An
// exemplar goes with the first sample that is not older. Those of the first sample of the range may lie before it, and to
// tell them from those of the sample before, that one has to be found.
func (s *step) readExemplars(ctx context.Context, every *labels.Matcher) (int64, error) {
	if !s.pump.s.cfg.SendExemplars {
		return s.times.From, nil
	}
	q, err := s.pump.s.lead.ExemplarQuerier(ctx)
	if err != nil {
		return 0, err
	}
	from := s.times.From - exemplarReach.Milliseconds()
	results, err := q.Select(from, s.times.To, []*labels.Matcher{every})
	if err != nil {
		return 0, err
	}
	if len(results) == 0 {
		return s.times.From, nil
	}
	s.exemplars = make(map[uint64][]exemplar.QueryResult, len(results))
	for _, r := range results {
		hash := r.SeriesLabels.Hash()
		s.exemplars[hash] = append(s.exemplars[hash], r)
	}
	return from, nil
}

// exemplarsOf returns those of one series, by time.
func (s *step) exemplarsOf(ls labels.Labels) []exemplar.Exemplar {
	if len(s.exemplars) == 0 {
		return nil
	}
	for _, r := range s.exemplars[ls.Hash()] {
		if labels.Equal(r.SeriesLabels, ls) {
			return r.Exemplars
		}
	}
	return nil
}

func (s *step) series(ctx context.Context, own labels.Labels, it chunkenc.Iterator) error {
	sender := s.pump.s
	ls, metadata, keep := sender.cache.sent(own)
	if !keep {
		return nil
	}
	exemplars := s.exemplarsOf(own)
	x := frame.Entry{}
	for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
		t := it.AtT()
		if t < s.times.From {
			exemplars = after(exemplars, t)
		}
		if !s.times.Contains(t) || kind != chunkenc.ValFloat && !sender.cfg.SendHistograms {
			continue
		}
		if x.Series == nil {
			x.Series, x.Meta = s.define(ls), s.meta(metadata)
		}
		s.value(&x, kind, it)
		x.Exemplars, exemplars = s.take(x.Exemplars[:0], exemplars, t)
		sender.metrics.readBack.Inc()
		s.pump.add(ctx, &x, &s.dictionary, journal.Position{}, s.delivered)
	}
	return it.Err()
}

// after leaves out the exemplars up to t.
func after(exemplars []exemplar.Exemplar, t int64) []exemplar.Exemplar {
	for len(exemplars) > 0 && exemplars[0].Ts <= t {
		exemplars = exemplars[1:]
	}
	return exemplars
}

func (s *step) value(x *frame.Entry, kind chunkenc.ValueType, it chunkenc.Iterator) {
	x.V, x.Histogram, x.Custom = 0, nil, false
	switch kind {
	case chunkenc.ValHistogram:
		t, h := it.AtHistogram(nil)
		s.buf = wire.AppendHistogram(s.buf[:0], h)
		x.T, x.Histogram, x.Custom = t, s.buf, h.UsesCustomBuckets()
	case chunkenc.ValFloatHistogram:
		t, h := it.AtFloatHistogram(nil)
		s.buf = wire.AppendFloatHistogram(s.buf[:0], h)
		x.T, x.Histogram, x.Custom = t, s.buf, h.UsesCustomBuckets()
	default:
		x.T, x.V = it.At()
	}
	x.Start = it.AtST()
}

// take moves the exemplars up to t to the sample that they go with.
func (s *step) take(dst []frame.Exemplar, from []exemplar.Exemplar, t int64) ([]frame.Exemplar, []exemplar.Exemplar) {
	for len(from) > 0 && from[0].Ts <= t {
		x := frame.Exemplar{V: from[0].Value, T: from[0].Ts}
		from[0].Labels.Range(func(l labels.Label) {
			x.Labels = append(x.Labels, frame.Pair{Name: s.symbol(l.Name), Value: l.Value})
		})
		dst, from = append(dst, x), from[1:]
	}
	return dst, from
}

func (s *step) symbol(text string) uint32 {
	n, ok := s.symbols[text]
	if !ok {
		n = uint32(len(s.dictionary.Symbols))
		s.symbols[text] = n
		s.dictionary.Symbols = append(s.dictionary.Symbols, text)
	}
	return n
}

func (s *step) define(ls labels.Labels) *frame.Known {
	k := &frame.Known{Number: uint32(len(s.dictionary.Series)), Lane: laneOf(ls)}
	ls.Range(func(l labels.Label) { k.Labels = append(k.Labels, s.symbol(l.Name), s.symbol(l.Value)) })
	s.dictionary.Series = append(s.dictionary.Series, k)
	return k
}

func (s *step) meta(m *frame.Metadata) uint32 {
	if m == nil {
		return 0
	}
	n, ok := s.metas[m]
	if !ok {
		n = uint32(len(s.dictionary.Metas))
		s.metas[m] = n
		s.dictionary.Metas = append(s.dictionary.Metas, frame.Meta{
			Family: s.symbol(m.Family), Type: m.Type, Help: s.symbol(m.Help), Unit: s.symbol(m.Unit),
		})
	}
	return n
}
