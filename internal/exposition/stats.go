package exposition

import (
	"sync/atomic"

	"github.com/prometheus/common/expfmt"
)

// counters count since New. families is guarded by Exposition.mu.
type counters struct {
	families                                       uint32
	expired, typeConflicts, helpConflicts          atomic.Uint64
	scrapesText, scrapesOpen, scrapesProto, failed atomic.Uint64
}

// Stats are the figures of an Exposition: what it holds, and what happened since New.
type Stats struct {
	Series                                           int    // float series and native histograms that are held
	Expired                                          uint64 // sets of labels
	TypeConflicts, HelpConflicts                     uint64
	TextScrapes, OpenMetricsScrapes, ProtobufScrapes uint64
	FailedScrapes                                    uint64 // the client went away
}

// Stats returns the present figures.
func (x *Exposition) Stats() Stats {
	x.mu.RLock()
	series := x.table.used()
	x.mu.RUnlock()
	c := &x.stats
	return Stats{
		Series: series, Expired: c.expired.Load(),
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
