package remotewrite

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
)

// lanes is how finely series are divided: a lane is always with one shard, and each has a position of its own. It
// bounds the shards, and is more than Prometheus' default of 50 for them.
const lanes = 64

// ErrClosed is returned by appenders of a Sender that is closed.
var ErrClosed = errors.New("the remote-write sender is closed")

// Lead is the local storage that commits each sample before the sender sees it.
type Lead interface {
	// Labels returns the labels of a series that the lead gave ref to, before external labels and relabelling.
	Labels(ref storage.SeriesRef) (labels.Labels, bool)
	storage.Queryable
	storage.ExemplarQueryable
}

// Refusal is an example of what the server did not take.
type Refusal struct {
	Time    time.Time
	Status  int
	Reason  string // as in tailgate_remote_write_refused_samples_total
	Message string // the server's words
	Series  string // one of the refused, or the first of the request where the server does not say which
	Samples int
}

// Sender queues and sends. It is safe for concurrent use; an appender of it is not.
type Sender struct{}

// Open replays the journal in cfg.Directory and starts to send. lead is nil for a sender that stands alone; reg may be nil.
func Open(cfg Config, lead Lead, reg prometheus.Registerer, log *slog.Logger) (*Sender, error) {
	return nil, errors.New("not written yet")
}

// AppenderV2 starts one batch. The samples are queued by Commit, all or none.
func (s *Sender) AppenderV2(context.Context) storage.AppenderV2 { return nil }

// Refused returns the latest refusals, newest first.
func (s *Sender) Refused() []Refusal { return nil }

// Close takes no more, sends what can be sent before ctx ends, and leaves the rest in the journal.
func (s *Sender) Close(ctx context.Context) error { return nil }
