package promfront

import (
	"errors"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/tailgate-otel/tailgate/internal/promstore"
)

// Reason is why a sample was refused; the set is closed.
type Reason int

// The reasons, in the order of their names.
const (
	OutOfOrder Reason = iota
	TooOld
	TooFarAhead
	Duplicate
	OverlappingDelta
	BadHistogram
	BadLabels
	Limit
	Untranslatable
	ReasonCount
)

var reasonNames = [ReasonCount]string{
	OutOfOrder:       "out_of_order",
	TooOld:           "too_old",
	TooFarAhead:      "too_far_ahead",
	Duplicate:        "duplicate",
	OverlappingDelta: "overlapping_delta",
	BadHistogram:     "bad_histogram",
	BadLabels:        "bad_labels",
	Limit:            "limit",
	Untranslatable:   "untranslatable",
}

var hints = [ReasonCount]string{
	OutOfOrder:       "a newer sample of the series is stored: raise out_of_order_time_window of the store, or give each sender its own service.instance.id",
	TooOld:           "the sample is older than out_of_order_time_window or retention of the store, or its time is not set: check the sender's clock",
	TooFarAhead:      "the sample is more than 10m in the future: check the sender's clock",
	Duplicate:        "another value is stored for this time: two senders write the same series, give each its own service.instance.id",
	OverlappingDelta: "the interval of a delta point begins before the last one of its series ended: two senders write the same series, give each its own service.instance.id",
	BadHistogram:     "the buckets contradict count or scale: the sender's SDK is at fault",
	BadLabels:        "the label set is empty or has a name twice: check attribute names that differ only in punctuation",
	Limit:            "limits are reached and the point cannot be summed: find the attribute with too many values, or raise the limit",
	Untranslatable:   "the point has no form in Prometheus: check names and value types in the sender",
}

// String is the name of the reason, as metrics have it.
func (r Reason) String() string { return reasonNames[r] }

// Hint says what an operator can do about it.
func (r Reason) Hint() string { return hints[r] }

// ReasonOf classifies an error of Append. It reports false for one that is not about the sample.
func ReasonOf(err error) (Reason, bool) {
	var badHistogram histogram.Error
	switch {
	case errors.Is(err, storage.ErrOutOfOrderSample):
		return OutOfOrder, true
	case errors.Is(err, storage.ErrTooOldSample), errors.Is(err, storage.ErrOutOfBounds):
		return TooOld, true
	case errors.Is(err, promstore.ErrTooFarAhead):
		return TooFarAhead, true
	case errors.Is(err, storage.ErrDuplicateSampleForTimestamp):
		return Duplicate, true
	case errors.As(err, &badHistogram), errors.Is(err, storage.ErrNativeHistogramsDisabled):
		return BadHistogram, true
	case errors.Is(err, tsdb.ErrInvalidSample):
		return BadLabels, true
	}
	return 0, false
}

// ExemplarReason is why an exemplar was refused while its sample was stored; the set is closed.
type ExemplarReason int

// The reasons, in the order of their names.
const (
	ExemplarOutOfOrder ExemplarReason = iota
	ExemplarTooLong
	ExemplarsDisabled
	ExemplarOther
	ExemplarReasonCount
)

var exemplarReasonNames = [ExemplarReasonCount]string{
	ExemplarOutOfOrder: "out_of_order",
	ExemplarTooLong:    "too_long",
	ExemplarsDisabled:  "disabled",
	ExemplarOther:      "other",
}

// String is the name of the reason, as metrics have it.
func (r ExemplarReason) String() string { return exemplarReasonNames[r] }

func exemplarReasonOf(err error) ExemplarReason {
	switch {
	case errors.Is(err, storage.ErrOutOfOrderExemplar):
		return ExemplarOutOfOrder
	case errors.Is(err, storage.ErrExemplarLabelLength):
		return ExemplarTooLong
	case errors.Is(err, storage.ErrExemplarsDisabled):
		return ExemplarsDisabled
	}
	return ExemplarOther
}
