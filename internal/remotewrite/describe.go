package remotewrite

import (
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/wire"
)

// describe sends the metadata of all families, which version 1 has in requests of its own. It tries once: the next time
// is soon enough.
func (s *Sender) describe() {
	var encoder wire.Encoder
	for families := range slices.Chunk(s.cache.metadata(), max(s.cfg.Metadata.MaxSamplesPerSend, 1)) {
		a, body := s.client.post(s.posting, encoder.MetadataV1(families), nil, false, 0)
		if a.verdict != stored {
			s.metrics.metadataFailed.Add(float64(len(families)))
			s.sayFailing(a, time.Duration(s.cfg.Metadata.SendInterval))
			return
		}
		s.metrics.metadata.Add(float64(len(families)))
		s.metrics.metadataBytes.Add(float64(len(body)))
	}
}

// sayEvery bounds what an outage writes to the log.
const sayEvery = 30 * time.Second

// throttle lets one message through in sayEvery.
type throttle struct{ next atomic.Int64 }

func (t *throttle) pass() bool {
	now := time.Now().UnixNano()
	next := t.next.Load()
	return now >= next && t.next.CompareAndSwap(next, now+int64(sayEvery))
}

func (s *Sender) sayFailing(a answer, pause time.Duration) {
	if !s.failingSaid.pass() {
		return
	}
	text := "the remote-write server does not take samples now: they wait in the queue"
	if a.verdict == hold || a.verdict == unsupported {
		text = "the remote-write server turns requests away: check its address and the credentials; samples wait in the queue"
	}
	s.log.Warn(text, slog.Int("status", a.status), slog.String("message", a.message), slog.Duration("tried_again_in", pause))
}

func (s *Sender) sayRefused(r Refusal) {
	if s.refusedSaid.pass() {
		s.log.Warn("the remote-write server has refused samples", slog.Int("samples", r.Samples), slog.String("reason", r.Reason),
			slog.Int("status", r.Status), slog.String("message", r.Message), slog.String("for_example", r.Series))
	}
}

func (s *Sender) diskError(doing string, err error) {
	s.metrics.diskErrors.Inc()
	s.log.Error("remote write cannot "+doing, slog.Any("error", err))
}
