package exposition

import (
	"sync/atomic"

	"github.com/prometheus/common/expfmt"
)

// counters count since New. families is guarded by Exposition.mu.
type counters struct {
	families                                       uint32
	appended, outOfOrder, invalid, expired         atomic.Uint64
	typeConflicts, helpConflicts                   atomic.Uint64
	scrapesText, scrapesOpen, scrapesProto, failed atomic.Uint64
}

// Stats are the figures of an Exposition: what it holds, and what happened since New.
type Stats struct {
	Series  int // float series and native histograms
	Metrics int // sets of labels

	Appended, OutOfOrder, Invalid, Expired           uint64
	TypeConflicts, HelpConflicts                     uint64
	TextScrapes, OpenMetricsScrapes, ProtobufScrapes uint64
	FailedScrapes                                    uint64 // the client went away
}

// Stats returns the present figures.
func (x *Exposition) Stats() Stats {
	x.mu.RLock()
	series, metrics := x.table.used(), x.shown
	x.mu.RUnlock()
	c := &x.stats
	return Stats{
		Series: series, Metrics: metrics,
		Appended: c.appended.Load(), OutOfOrder: c.outOfOrder.Load(), Invalid: c.invalid.Load(), Expired: c.expired.Load(),
		TypeConflicts: c.typeConflicts.Load(), HelpConflicts: c.helpConflicts.Load(),
		TextScrapes: c.scrapesText.Load(), OpenMetricsScrapes: c.scrapesOpen.Load(), ProtobufScrapes: c.scrapesProto.Load(),
		FailedScrapes: c.failed.Load(),
	}
}

func (c *counters) scraped(format expfmt.Format, err error) {
	switch {
	case err != nil:
		c.failed.Add(1)
	case format.FormatType() == expfmt.TypeOpenMetrics:
		c.scrapesOpen.Add(1)
	case format.FormatType() == expfmt.TypeProtoDelim:
		c.scrapesProto.Add(1)
	default:
		c.scrapesText.Add(1)
	}
}
