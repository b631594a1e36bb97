package h1

import (
	"context"
	"sync"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/h1/park"
)

// watchAfter is how long a request runs before we look after its client and its time. Most requests are over by then and
// pay for two uncontended locks only, where net/http starts a goroutine for each; and nothing is lost by noticing a client
// that left within the first 50 ms no sooner than that.
const watchAfter = 50 * time.Millisecond

// watch cancels a request whose client has gone or whose time is up. Its timer is armed by the first request of a while and
// then runs on by itself, so that a busy connection arms it 20 times a second and not once per request.
type watch struct {
	server *Server

	mu      sync.Mutex // guards what follows
	timer   *time.Timer
	armed   bool
	current *response // the request in progress; nil: none
	since   time.Time
	timed   bool // the request timeout is over
	hangUp  bool // the lot watches the connection for current
	reader  *reader
}

func (t *watch) init(srv *Server) { t.server = srv }

// begin starts to watch a request.
func (t *watch) begin(w *response) {
	t.mu.Lock()
	t.current, t.since, t.timed = w, w.s.now, false
	if !t.armed {
		t.armed = true
		if t.timer == nil {
			t.timer = time.AfterFunc(watchAfter, t.tick)
		} else {
			t.timer.Reset(watchAfter)
		}
	}
	t.mu.Unlock()
	if base := t.server.s.BaseContext; base.Err() != nil { // its end may have come before this request could be seen
		w.cancel(context.Cause(base))
	}
}

// end stops to watch the request. A byte that was read on the way is given to the input.
func (t *watch) end() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == nil {
		return
	}
	s := t.current.s
	t.current = nil
	if t.hangUp {
		t.hangUp = false
		t.server.lot.Leave(&s.c.spot)
	}
	if t.reader != nil {
		t.reader.stop(s)
		t.reader = nil
	}
}

// cancel ends the request's context, if there is a request.
func (t *watch) cancel(cause error) {
	t.mu.Lock()
	w := t.current
	t.mu.Unlock()
	if w != nil {
		w.cancel(cause)
	}
}

// tick is the timer's goroutine.
func (t *watch) tick() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == nil {
		t.armed = false
		return
	}
	next := watchAfter - time.Since(t.since)
	if next <= 0 {
		next = t.look(-next + watchAfter)
	}
	t.armed = next > 0
	if t.armed {
		t.timer.Reset(next)
	}
}

// look does what is due for a request of that age, and answers when to look again; 0: not any more. mu held.
func (t *watch) look(age time.Duration) time.Duration {
	var next time.Duration
	if limit := t.server.s.RequestTimeout; limit > 0 && !t.timed {
		next = limit - age
		if next <= 0 {
			next, t.timed = 0, true
			t.current.cancel(ErrRequestTimeout)
			t.current.s.breakOff()
		}
	}
	if t.hangUp || t.reader != nil || t.timed {
		return next
	}
	if b := t.current.body; b != nil && !b.complete.Load() { // whoever reads it will notice
		if next == 0 {
			return watchAfter
		}
		return min(next, watchAfter)
	}
	t.listen()
	return next
}

// listen waits for the client's going, without reading if that can be. mu held.
func (t *watch) listen() {
	w := t.current
	if sc := descriptor(w.s.c.rwc); sc != nil && t.server.lot.Park(&w.s.c.spot, sc, (*hungUp)(w), park.HangUp, time.Time{}) == nil {
		t.hangUp = true
		return
	}
	if w.s.in.len() == 0 { // with the next request here already, the client is not yet gone
		t.reader = read(w)
	}
}

// hungUp is a response whose client has gone.
type hungUp response

// Wake implements park.Owner.
func (w *hungUp) Wake(park.Cause) { w.cancel(nil) }

// reader notices the end of a connection that has no descriptor by reading a byte ahead, as net/http does for all.
type reader struct {
	ended chan struct{}
	first [1]byte
	n     int
}

func read(w *response) *reader {
	r := &reader{ended: make(chan struct{})}
	c := w.s.c.rwc
	_ = c.SetReadDeadline(time.Time{}) // the one that is set was for something else; stop forgets it
	go func() {
		defer close(r.ended)
		var err error
		if r.n, err = c.Read(r.first[:]); err != nil && !isTimeout(err) {
			w.cancel(nil)
		}
	}()
	return r
}

// stop joins the goroutine.
func (r *reader) stop(s *session) {
	_ = s.c.rwc.SetReadDeadline(longAgo) // a connection without deadlines has none to stop either
	<-r.ended
	s.readDeadline = time.Unix(1, 0)
	if r.n == 1 {
		s.in.put(r.first[0])
	}
}
