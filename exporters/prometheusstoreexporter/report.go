package prometheusstoreexporter

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/tailgate-otel/tailgate/internal/promfront"
)

// reportEvery is how often one reason may be logged. A misconfigured sender is refused at every export; the counters
// have each sample, the log has an example and what to do about it.
const reportEvery = time.Minute

// report logs refused samples: at once when a reason first occurs, then at most once per reportEvery, with the number
// since the last line.
type report struct {
	logger *zap.Logger

	mu      sync.Mutex // guards the fields below
	last    [promfront.ReasonCount]time.Time
	pending [promfront.ReasonCount]int64
}

func newReport(logger *zap.Logger) *report { return &report{logger: logger} }

func (r *report) say(t promfront.Tally) {
	for i, n := range t.Refused {
		if n == 0 {
			continue
		}
		why := promfront.Reason(i)
		if total, due := r.due(why, n, time.Now()); due {
			r.logger.Warn("samples refused, the rest of the batch is stored",
				zap.String("reason", why.String()),
				zap.Int64("count", total),
				zap.String("example", t.Examples[why]),
				zap.String("hint", why.Hint()))
		}
	}
}

// due adds n to what is waiting to be reported, and returns the sum when it is time for a line.
func (r *report) due(why promfront.Reason, n int64, now time.Time) (int64, bool) {
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
