package policy

import (
	"sync"
	"time"
)

// and says yes when no part declines; a part that fails makes it fail. Parts are asked in order and only until one
// declines or fails, which matters to limiters. The threshold is the strictest of the parts'.
type and []expr

func (e and) eval(ev *evaluation) answer {
	var strictest uint64
	for _, part := range e {
		a := part.eval(ev)
		if a.vote == failed {
			return a
		}
		if a.vote.declines() {
			return answer{vote: no}
		}
		strictest = max(strictest, a.threshold)
	}
	return answer{vote: yes, threshold: strictest}
}

func (e and) possible(t *Trace) votes {
	var all votes
	for _, part := range e {
		v := part.possible(t)
		all |= v & (mayNo | mayFail)
		if v&mayOther != 0 {
			all |= mayNo // an inverted no declines
		}
		if v&(mayYes|mayOther) == 0 {
			return all
		}
	}
	return all | mayYes
}

func (e and) exact() bool {
	for _, part := range e {
		if !part.exact() {
			return false
		}
	}
	return true
}

// not turns yes into no and no into yes; other votes pass through. The threshold of what it negates says nothing about
// what it lets pass.
type not struct{ of expr }

func (e not) eval(ev *evaluation) answer {
	a := e.of.eval(ev)
	a.threshold = 0
	switch a.vote {
	case yes:
		a.vote = no
	case no:
		a.vote = yes
	}
	return a
}

func (e not) possible(t *Trace) votes {
	v := e.of.possible(t)
	turned := v &^ (mayYes | mayNo)
	if v&mayYes != 0 {
		turned |= mayNo
	}
	if v&mayNo != 0 {
		turned |= mayYes
	}
	return turned
}

func (not) exact() bool { return true }

// dropIf votes to drop when its conjunction says yes. Among possible votes, mayYes stands for that drop.
type dropIf struct{ all and }

func (e dropIf) eval(ev *evaluation) answer {
	a := e.all.eval(ev)
	if a.vote == yes {
		return answer{vote: drop}
	}
	return a
}

func (e dropIf) possible(t *Trace) votes { return e.all.possible(t) }
func (dropIf) exact() bool               { return true }

// composite lets the trace pass if its first part to say yes has spans left in the current second. It never tries a
// later part instead, and a trace too large for what is left leaves that to smaller ones.
type composite struct {
	maxTotal int64
	parts    []share

	mu     sync.Mutex // guards second and every share.spent
	second int64
}

// share is a part of a composite with its budget.
type share struct {
	expr
	sub     int32 // in Program.SubNames
	allowed int64 // spans per second
	spent   int64
}

func (c *composite) eval(ev *evaluation) answer {
	for i := range c.parts {
		s := &c.parts[i]
		a := s.expr.eval(ev)
		switch a.vote {
		case failed:
			return a
		case yes, invertedYes:
			if !c.spend(s, ev.now, int64(ev.trace.Facts.Spans)) {
				return answer{vote: no}
			}
			ev.sub = s.sub
			return answer{vote: yes}
		}
	}
	return answer{vote: no}
}

func (c *composite) spend(s *share, now time.Time, spans int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	// Shards take now before they come here, so it may lie in the second before without meaning that time went back.
	if second := now.Unix(); second > c.second || second < c.second-1 {
		c.second = second
		for i := range c.parts {
			c.parts[i].spent = 0
		}
	}
	total := s.spent + spans
	if total > s.allowed || total > c.maxTotal {
		return false
	}
	s.spent = total
	return true
}

func (c *composite) possible(t *Trace) votes {
	all := mayNo
	for i := range c.parts {
		s := &c.parts[i]
		v := s.possible(t)
		all |= v & mayFail
		if v&(mayYes|mayOther) != 0 && int64(t.Facts.Spans) <= min(s.allowed, c.maxTotal) {
			all |= mayYes
		}
		if v == mayYes {
			break
		}
	}
	return all
}

func (*composite) exact() bool { return true }
