package promfront

import (
	"errors"
	"slices"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// targetInfoOptions are those of Prometheus' converter.
func targetInfoOptions() storage.AppendV2Options {
	return storage.AppendV2Options{
		MetricFamilyName: targetInfo,
		Metadata:         metadata.Metadata{Type: model.MetricTypeGauge, Help: "Target metadata"},
	}
}

// maxInfoSamples bounds how often target_info is repeated for one batch: at the default look-back it reaches 4 h back, as
// far as late samples do. A point of the wrong year would ask for 200 000 of them.
const maxInfoSamples = 100

// targetInfo writes target_info over the times of what was taken of the resource: at the last, and from the first on
// every half look-back, so that it is found by an instant query at any time between.
func (w *writer) targetInfo() {
	r := w.resource
	w.pt = point{}
	if !r.infoKnown {
		w.findInfo()
	}
	if r.info == nil || w.err != nil {
		return
	}
	if r.infoWrite != w.id {
		r.infoWrite, r.infoTimes = w.id, r.infoTimes[:0]
	}
	step := pcommon.Timestamp(w.front.opts.Lookback / 2)
	first := w.earliest
	if most := maxInfoSamples * step; w.latest-first > most {
		first = w.latest - most
	}
	for t := first; t < w.latest; t += step {
		w.putInfo(millis(t))
	}
	w.putInfo(millis(w.latest))
}

// findInfo asks the converter for the labels of target_info. A resource without identity, or with nothing else, has none.
func (w *writer) findInfo() {
	r := w.resource
	r.infoKnown = true
	ls, err := w.infoLabels()
	if err != nil {
		w.tally.Refused[Untranslatable]++
		if w.tally.Examples[Untranslatable] == "" {
			w.tally.Examples[Untranslatable] = targetInfo + ": " + err.Error()
		}
		return
	}
	if ls.IsEmpty() {
		return
	}
	var id seriesID
	id, w.key = w.front.identify(w.key, ls, 0)
	s := r.group.streams[id]
	if s == nil {
		s = newStream(id, 1, nil)
		r.group.streams[id] = s
	}
	s.users++
	r.info = s
	w.replaceInfo()
}

func (w *writer) infoLabels() (labels.Labels, error) {
	m := w.trial.aim(w)
	m.SetName("any")
	m.SetEmptyGauge().DataPoints().AppendEmpty().SetTimestamp(w.latest)
	if err := w.trial.ask(w.ctx, w.front.translation.info); err != nil {
		return labels.EmptyLabels(), err
	}
	return w.trial.recorder.info, nil
}

// putInfo appends one sample of target_info. One that is refused was sent by nobody and is not counted.
func (w *writer) putInfo(t int64) {
	r := w.resource
	if w.err != nil || slices.Contains(r.infoTimes, t) {
		return
	}
	r.infoTimes = append(r.infoTimes, t)
	s := r.info
	ref, err := s.refs[0], tsdb.ErrInvalidSample
	if ref != 0 {
		ref, err = w.appender().Append(ref, labels.EmptyLabels(), 0, t, 1, nil, nil, targetInfoOptions())
	}
	if errors.Is(err, tsdb.ErrInvalidSample) {
		ls, lerr := w.infoLabels()
		if lerr != nil || ls.IsEmpty() {
			return
		}
		ref, err = w.appender().Append(0, ls, 0, t, 1, nil, nil, targetInfoOptions())
	}
	if err != nil {
		if _, ok := ReasonOf(err); !ok {
			w.fail(err)
		}
		return
	}
	s.refs[0] = ref
	s.t, s.seen, s.write, s.stale = max(s.t, t), w.now, w.id, false
	w.appended++
	w.tally.Samples++
}

// replaceInfo marks the target_info of the resource that had this identity before as stale, at once: until it were out of
// the look-back, every join with target_info would fail because there are two. That is right only if the old resource
// has gone. If it is seen again the two live side by side, and nothing is marked in their group any more.
func (w *writer) replaceInfo() {
	r, g := w.resource, w.resource.group
	if g.shared || g.instance == "" || w.front.opts.StaleAfter == 0 {
		return
	}
	for _, old := range g.resources {
		if old == r || old.info == nil || old.info == r.info || old.info.stale || old.replaced {
			continue
		}
		if old.write == w.id {
			g.shared = true
			return
		}
		w.mark(old.info, 0, max(millis(w.earliest), old.info.t+1), false)
		old.info.stale, old.replaced = true, true
		w.replaced = append(w.replaced, old)
	}
}
