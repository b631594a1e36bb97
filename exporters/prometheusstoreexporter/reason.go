package prometheusstoreexporter

import (
	"errors"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/tailgate-otel/tailgate/internal/promstore"
)

// reason is why a sample was refused; its set is closed and the same as in metadata.yaml.
type reason int

const (
	reasonOutOfOrder reason = iota
	reasonTooOld
	reasonTooFarAhead
	reasonDuplicate
	reasonBadHistogram
	reasonBadLabels
	reasonDeltaTemporality
	reasonUntranslatable
	reasonCount
)

var reasonNames = [reasonCount]string{
	reasonOutOfOrder:       "out_of_order",
	reasonTooOld:           "too_old",
	reasonTooFarAhead:      "too_far_ahead",
	reasonDuplicate:        "duplicate",
	reasonBadHistogram:     "bad_histogram",
	reasonBadLabels:        "bad_labels",
	reasonDeltaTemporality: "delta_temporality",
	reasonUntranslatable:   "untranslatable",
}

// hints say what an operator can do about refused samples.
var hints = [reasonCount]string{
	reasonOutOfOrder:       "a newer sample of the series is stored: raise out_of_order_time_window of the store, or give each sender its own service.instance.id",
	reasonTooOld:           "the sample is older than out_of_order_time_window or retention of the store, or its time is not set: check the sender's clock",
	reasonTooFarAhead:      "the sample is more than 10m in the future: check the sender's clock",
	reasonDuplicate:        "another value is stored for this time: two senders write the same series, give each its own service.instance.id",
	reasonBadHistogram:     "the buckets contradict count or scale: the sender's SDK is at fault",
	reasonBadLabels:        "the label set is empty or has a name twice: check attribute names that differ only in punctuation",
	reasonDeltaTemporality: "Prometheus stores cumulative values: put the deltatocumulative processor in front, or set OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative in the sender",
	reasonUntranslatable:   "the point has no form in Prometheus: check names and value types in the sender",
}

// sampleReason classifies an error of Append. It reports false for one that is not about the sample.
func sampleReason(err error) (reason, bool) {
	var badHistogram histogram.Error
	switch {
	case errors.Is(err, storage.ErrOutOfOrderSample):
		return reasonOutOfOrder, true
	case errors.Is(err, storage.ErrTooOldSample), errors.Is(err, storage.ErrOutOfBounds):
		return reasonTooOld, true
	case errors.Is(err, promstore.ErrTooFarAhead):
		return reasonTooFarAhead, true
	case errors.Is(err, storage.ErrDuplicateSampleForTimestamp):
		return reasonDuplicate, true
	case errors.As(err, &badHistogram), errors.Is(err, storage.ErrNativeHistogramsDisabled):
		return reasonBadHistogram, true
	case errors.Is(err, tsdb.ErrInvalidSample):
		return reasonBadLabels, true
	}
	return 0, false
}

// exemplarWhy is why an exemplar was refused; its set is closed and the same as in metadata.yaml.
type exemplarWhy int

const (
	exemplarOutOfOrder exemplarWhy = iota
	exemplarTooLong
	exemplarDisabled
	exemplarOther
	exemplarWhyCount
)

var exemplarWhyNames = [exemplarWhyCount]string{
	exemplarOutOfOrder: "out_of_order",
	exemplarTooLong:    "too_long",
	exemplarDisabled:   "disabled",
	exemplarOther:      "other",
}

func exemplarReason(err error) exemplarWhy {
	switch {
	case errors.Is(err, storage.ErrOutOfOrderExemplar):
		return exemplarOutOfOrder
	case errors.Is(err, storage.ErrExemplarLabelLength):
		return exemplarTooLong
	case errors.Is(err, storage.ErrExemplarsDisabled):
		return exemplarDisabled
	}
	return exemplarOther
}
