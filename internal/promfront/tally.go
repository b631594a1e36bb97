package promfront

// Tally counts what became of one Write.
type Tally struct {
	// Samples were appended, zero samples not included. Exemplars likewise.
	Samples, Exemplars int64
	// Zeros are zero samples at a start time.
	Zeros int64
	// Refused counts samples by Reason. What could not be translated counts one per data point.
	Refused [ReasonCount]int64
	// Examples has one refused sample per reason in words, for a log.
	Examples [ReasonCount]string
	// ExemplarsRefused counts by ExemplarReason.
	ExemplarsRefused [ExemplarReasonCount]int64
	// Overflowed counts data points that were summed into an overflow series.
	Overflowed int64
}
