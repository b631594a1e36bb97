package prometheusstoreexporter

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// reportEvery is how often one reason may be logged. A misconfigured sender is refused at every export; the counters
// have each sample, the log has an example and what to do about it.
const reportEvery = time.Minute

// report logs refused samples: at once when a reason first occurs, then at most once per reportEvery, with the number
// since the last line.
type report struct {
	logger *zap.Logger

	mu      sync.Mutex // guards the fields below
	last    [reasonCount]time.Time
	pending [reasonCount]int64
}

func newReport(logger *zap.Logger) *report { return &report{logger: logger} }

func (r *report) say(t *tally) {
	for why, n := range t.refused {
		if n == 0 {
			continue
		}
		if total, due := r.due(why, n, time.Now()); due {
			r.logger.Warn("samples refused, the rest of the batch is stored",
				zap.String("reason", reasonNames[why]),
				zap.Int64("count", total),
				zap.String("example", t.examples[why]),
				zap.String("hint", hints[why]))
		}
	}
}

// due adds n to what is waiting to be reported, and returns the sum when it is time for a line.
func (r *report) due(why int, n int64, now time.Time) (int64, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending[why] += n
	if now.Sub(r.last[why]) < reportEvery {
		return 0, false
	}
	total := r.pending[why]
	r.last[why], r.pending[why] = now, 0
	return total, true
}
