package h1

import "time"

// The bounds of linger: what a client may have on its way to us.
const (
	lingerBytes = 256 << 10
	lingerTime  = 500 * time.Millisecond
)

// linger lets the client read the answer before the connection ends: closing with unread input resets the connection,
// which may destroy the answer on its way (RFC 9112, section 9.6).
func (s *session) linger() {
	half, ok := s.c.rwc.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	s.in.skip(s.in.len())
	s.armRead(time.Now().Add(lingerTime), 0)
	for read := 0; read < lingerBytes && s.in.fill(s.c.rwc) == nil; {
		read += s.in.len()
		s.in.skip(s.in.len())
	}
}

// armRead sets the read deadline, unless the one that is set lies at most slack before it.
func (s *session) armRead(deadline time.Time, slack time.Duration) {
	if !s.readDeadline.IsZero() && !s.readDeadline.After(deadline) && !s.readDeadline.Before(deadline.Add(-slack)) {
		return
	}
	s.readDeadline = deadline
	_ = s.c.rwc.SetReadDeadline(deadline) // a connection that cannot have one fails in the next read
	s.keepBroken()
}

// armWrite sees to it that the next write has at least half of the time it may take.
func (s *session) armWrite(now time.Time) {
	limit := s.c.server.s.WriteTimeout
	if limit < 0 || s.ownWrite.Load() || s.writeDeadline.Sub(now) >= limit/2 {
		return
	}
	s.writeDeadline = now.Add(limit)
	_ = s.c.rwc.SetWriteDeadline(s.writeDeadline) // a connection that cannot have one fails in the next write
	s.keepBroken()
}

// longAgo is a deadline that ends reads and writes at once.
var longAgo = time.Unix(1, 0)

// breakOff ends the reads and writes of a request that took too long. Other goroutines may be in them.
func (s *session) breakOff() {
	s.broken.Store(true)
	_ = s.c.rwc.SetDeadline(longAgo) // if not even that is possible, reads and writes fail already
}

// keepBroken undoes the setting of a deadline that came after breakOff.
func (s *session) keepBroken() {
	if s.broken.Load() {
		_ = s.c.rwc.SetDeadline(longAgo) // see breakOff
	}
}
