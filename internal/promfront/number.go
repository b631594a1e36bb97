package promfront

import "go.opentelemetry.io/collector/pdata/pmetric"

func (w *writer) writeNumbers(points pmetric.NumberDataPointSlice) {
	for i := 0; i < points.Len() && w.err == nil; i++ {
		w.writeNumber(points.At(i))
	}
}

func (w *writer) writeNumber(p pmetric.NumberDataPoint) {
	w.pt.number = p
	if !w.open(p.Attributes(), p.Timestamp(), p.StartTimestamp(), p.Flags()) || !w.settle(1, nil) {
		return
	}
	k, v := w.pt.family.kind, numberOf(p)
	switch {
	case w.pt.noValue:
		v = staleNaN
	case k.delta():
		sum := w.running()
		add, ok := w.follows(sum, v)
		if !ok {
			return
		}
		if add {
			sum.sum += v
		}
		v = sum.sum
		w.startAt(sum.start)
	case k.startsAtZero():
		w.startAt(w.pt.begin)
	}
	if k.metricType() == pmetric.MetricTypeSum {
		w.opts.Exemplars = w.exemplars.read(w, p.Exemplars())
	}
	w.put(0, v, nil)
	w.close()
}

func numberOf(p pmetric.NumberDataPoint) float64 {
	switch p.ValueType() {
	case pmetric.NumberDataPointValueTypeInt:
		return float64(p.IntValue())
	case pmetric.NumberDataPointValueTypeDouble:
		return p.DoubleValue()
	}
	return 0
}

// The slots of a summary are _sum, _count and a series per quantile.
const summaryQuantiles = 2

func (w *writer) writeSummaries(points pmetric.SummaryDataPointSlice) {
	for i := 0; i < points.Len() && w.err == nil; i++ {
		w.writeSummary(points.At(i))
	}
}

func (w *writer) writeSummary(p pmetric.SummaryDataPoint) {
	w.pt.summary = p
	if !w.open(p.Attributes(), p.Timestamp(), p.StartTimestamp(), p.Flags()) {
		return
	}
	quantiles := p.QuantileValues()
	w.bounds = w.bounds[:0]
	for i := range quantiles.Len() {
		w.bounds = append(w.bounds, quantiles.At(i).Quantile())
	}
	if !w.settle(summaryQuantiles+len(w.bounds), w.bounds) {
		return
	}
	w.startAt(w.pt.begin)
	w.put(0, w.orStale(p.Sum()), nil)
	w.put(1, w.orStale(float64(p.Count())), nil)
	for i := range quantiles.Len() {
		w.put(summaryQuantiles+i, w.orStale(quantiles.At(i).Value()), nil)
	}
	w.close()
}

// orStale is v, unless the point says that it has no value.
func (w *writer) orStale(v float64) float64 {
	if w.pt.noValue {
		return staleNaN
	}
	return v
}
