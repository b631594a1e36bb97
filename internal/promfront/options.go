package promfront

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/otlptranslator"
)

// HistogramLayout is how histograms with explicit bounds are stored. Exponential ones are always native.
type HistogramLayout string

// The layouts. Classic is a series per bucket, plus sum and count. NHCB is one native histogram with custom buckets: for
// 14 bounds 1 series instead of 17. Both stores both, for the time of a migration.
const (
	Classic HistogramLayout = "classic"
	NHCB    HistogramLayout = "nhcb"
	Both    HistogramLayout = "both"
)

// HistogramLayouts are the values of HistogramLayout.
func HistogramLayouts() []string { return []string{string(Classic), string(NHCB), string(Both)} }

// Options say how to translate. The zero value of a field switches its feature off or means what is said there.
type Options struct {
	// Strategy says how OTLP names become Prometheus names.
	Strategy otlptranslator.TranslationStrategyOption
	// PromoteResourceAttributes become a label of every series of the resource.
	PromoteResourceAttributes []string
	// KeepIdentifyingResourceAttributes keeps service.name, service.namespace and service.instance.id on target_info.
	KeepIdentifyingResourceAttributes bool
	// PromoteScopeMetadata adds otel_scope_* labels.
	PromoteScopeMetadata bool
	// Histograms is the layout of explicit-bounds histograms. Empty means Classic.
	Histograms HistogramLayout

	// ZeroSamples writes 0 at the start time of a counter or histogram that is new or has restarted, so that its first
	// increase counts.
	ZeroSamples bool
	// StaleAfter is how many exports a resource must miss to have its series marked stale. 0 never marks.
	StaleAfter int
	// Forget is how long the cache remembers what is not written. 0 means 2h, the span of a TSDB head.
	Forget time.Duration
	// Limits bound the number of series.
	Limits Limits

	// Lookback is that of the queries; target_info is repeated at half of it. 0 means 5m.
	Lookback time.Duration
	// Bounds returns the times outside which the storage refuses every sample. Nil means there are none.
	Bounds func() (oldest, newest time.Time)
	// Now is the clock for learning export intervals. Nil means time.Now.
	Now func() time.Time
}

// Limits bound how many series there may be. Points of further ones are summed into an overflow series. 0 is no limit.
type Limits struct {
	PerMetric   int // series of one metric, over all resources
	PerResource int // series of one resource
	Total       int
}

const (
	defaultForget   = 2 * time.Hour
	defaultLookback = 5 * time.Minute
)

func (o Options) withDefaults() (Options, error) {
	var errs []error
	switch o.Histograms {
	case "":
		o.Histograms = Classic
	case Classic, NHCB, Both:
	default:
		errs = append(errs, fmt.Errorf("histograms: must be one of %q, got %q", HistogramLayouts(), o.Histograms))
	}
	switch o.Strategy {
	case otlptranslator.UnderscoreEscapingWithSuffixes, otlptranslator.UnderscoreEscapingWithoutSuffixes,
		otlptranslator.NoUTF8EscapingWithSuffixes, otlptranslator.NoTranslation:
	default:
		errs = append(errs, fmt.Errorf("translation_strategy: unknown value %q", o.Strategy))
	}
	if o.StaleAfter < 0 || o.Limits.PerMetric < 0 || o.Limits.PerResource < 0 || o.Limits.Total < 0 {
		errs = append(errs, errors.New("stale_after and limits: must be 0 (off) or more"))
	}
	if o.Forget == 0 {
		o.Forget = defaultForget
	}
	if o.Lookback == 0 {
		o.Lookback = defaultLookback
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, errors.Join(errs...)
}
