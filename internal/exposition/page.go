package exposition

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
)

const (
	// chunk is how many metrics are rendered under one read lock, unless flushAt ends it earlier: some 20 to 100 µs, for which
	// a scrape can delay a Commit.
	chunk = 256

	// flushAt is when a text page is handed on. Larger saves nothing, smaller costs system calls.
	flushAt = 64 << 10

	// keepAtMost is the largest buffer that is kept for the next scrape. Only protobuf makes larger ones, see page.split.
	keepAtMost = 1 << 20
)

// page is one scrape.
type page struct {
	x      *Exposition
	w      io.Writer
	buf    []byte
	oldest int64 // metrics last seen before are expired
	wanted func(name string) bool

	// split allows several protobuf messages for one family, for a reader that does not mind. Without, a family is one
	// message and in memory as a whole, because some readers keep the last message of a name only.
	split bool
}

// write renders everything that is shown in the format to w.
func (p *page) write(format expfmt.Format) error {
	scheme := format.ToEscapingScheme()
	if format.FormatType() == expfmt.TypeProtoDelim {
		return p.writeProto(&protoEncoder{timestamps: p.x.opts.Timestamps, scheme: scheme})
	}
	openMetrics := format.FormatType() == expfmt.TypeOpenMetrics
	return p.writeText(&textEncoder{
		openMetrics: openMetrics,
		created:     openMetrics && p.x.opts.CreatedLines,
		timestamps:  p.x.opts.Timestamps,
		scheme:      scheme,
	})
}

func (p *page) writeText(e *textEncoder) error {
	headed := "" // the name whose header was written last
	for _, f := range p.x.scraped() {
		if !p.wanted(f.name) {
			continue
		}
		begun := false
		err := p.each(f, func(m *metric) {
			if !begun {
				p.buf = e.family(p.buf, f, f.name != headed)
				begun, headed = true, f.name
			}
			p.buf = e.metric(p.buf, m)
		}, func() error {
			if len(p.buf) < flushAt {
				return nil
			}
			return p.flush()
		})
		if err != nil {
			return err
		}
	}
	p.buf = e.end(p.buf)
	return p.flush()
}

func (p *page) writeProto(e *protoEncoder) error {
	for _, f := range p.x.scraped() {
		if !p.wanted(f.name) {
			continue
		}
		err := p.each(f, func(m *metric) {
			p.buf = e.metric(e.family(p.buf, f), m)
			if p.split && m.native != nil && len(m.native.exemplars) > 0 {
				// Prometheus' parser (3.14, ProtobufParser.exemplarPos) forgets to begin anew with the next native histogram
				// of a family and so loses its exemplars. With the next family it does, even if it has the same name.
				p.buf = e.end(p.buf)
			}
		}, func() error {
			if !p.split || len(p.buf) < flushAt {
				return nil
			}
			p.buf = e.end(p.buf)
			return p.flush()
		})
		if err != nil {
			return err
		}
		p.buf = e.end(p.buf)
		if len(p.buf) >= flushAt {
			if err := p.flush(); err != nil {
				return err
			}
		}
	}
	return p.flush()
}

// each calls render for every metric of f that is shown, under the read lock; and between, without it, when a chunk is
// done or the buffer is full.
func (p *page) each(f *family, render func(*metric), between func() error) error {
	x := p.x
	x.mu.Lock()
	f.settle()
	metrics := f.metrics
	x.mu.Unlock()
	for len(metrics) > 0 {
		metrics = p.chunk(metrics, render)
		if err := between(); err != nil {
			return err
		}
	}
	return nil
}

// chunk renders the first of the metrics and returns the others.
func (p *page) chunk(metrics []*metric, render func(*metric)) []*metric {
	p.x.mu.RLock()
	defer p.x.mu.RUnlock()
	full := len(p.buf) + flushAt
	for i, m := range metrics {
		if i == chunk || len(p.buf) >= full {
			return metrics[i:]
		}
		if !m.removed && m.epoch > 0 && m.seen.Load() >= p.oldest {
			render(m)
		}
	}
	return nil
}

func (p *page) flush() error {
	_, err := p.w.Write(p.buf)
	p.buf = p.buf[:0]
	return err
}

// newPage takes a buffer from the pool; done gives it back.
func (x *Exposition) newPage(w io.Writer, r *http.Request) *page {
	return &page{
		x: x, w: w, wanted: wanted(r),
		split:  strings.HasPrefix(r.UserAgent(), "Prometheus/"),
		buf:    x.pools.buffer(),
		oldest: x.oldestAt(x.opts.Now()),
	}
}

func (p *page) done() { p.x.pools.putBuffer(p.buf) }

// oldestAt is the earliest time at which a metric may have been seen last to be shown at now.
func (x *Exposition) oldestAt(now time.Time) int64 { return now.Add(-x.opts.Expiration).UnixMilli() }
