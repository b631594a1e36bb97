package limit

import (
	"errors"
	"fmt"
	"time"
)

// Priority is the class of a request, from its route and tenant.
type Priority int8

// The classes. The zero value is what most requests are.
const (
	Background Priority = iota - 2 // batch jobs, crawlers: they come back
	Low
	Normal
	High
	Critical // health checks, payments: refused last
)

// ShedSettings say when which requests are refused.
type ShedSettings struct {
	// MaxInFlight is the number of requests that the process can take: pressure is in-flight / MaxInFlight. 0: it does not
	// count.
	MaxInFlight int
	// Start is the pressure, of requests or memory, from which on Background is refused. 0: 0.7. The other classes follow in
	// equal steps, Critical at full pressure only: with 0.7, Low from 0.775, Normal from 0.85, High from 0.925.
	Start float64
}

// Shedder decides which requests a process under pressure refuses. It is immutable.
//
// Each class is refused in a growing share over its step, all of it at the end: a hard threshold would refuse everything
// in one moment and nothing in the next, and all clients would come back together.
type Shedder struct {
	max   int
	start float64
	step  float64
}

// NewShedder checks s. Its errors begin with the name of the field.
func NewShedder(s ShedSettings) (*Shedder, error) {
	if s.Start == 0 {
		s.Start = 0.7
	}
	var errs []error
	if s.MaxInFlight < 0 {
		errs = append(errs, fmt.Errorf("MaxInFlight: must not be negative, got %d", s.MaxInFlight))
	}
	if s.Start < 0.1 || s.Start > 0.95 {
		errs = append(errs, fmt.Errorf("Start: must be from 0.1 to 0.95, got %v", s.Start))
	}
	return &Shedder{max: s.MaxInFlight, start: s.Start, step: (1 - s.Start) / float64(Critical-Background)}, errors.Join(errs...)
}

// Pressure is the greater of in-flight requests and memory, both as a part of what there can be: 1 is full.
func (s *Shedder) Pressure(inFlight int, memory float64) float64 {
	if s.max == 0 {
		return memory
	}
	return max(memory, float64(inFlight)/float64(s.max))
}

// Admit decides about a request of a class under a pressure. random is uniform in [0, 1).
func (s *Shedder) Admit(p Priority, pressure, random float64) Refusal {
	if pressure < s.start { // nearly always
		return Refusal{}
	}
	p = min(Critical, max(Background, p))
	from := s.start + float64(p-Background)*s.step
	share := 0.0
	if p == Critical {
		if pressure >= 1 {
			share = 1
		}
	} else {
		share = (pressure - from) / s.step
	}
	if random >= share {
		return Refusal{}
	}
	// From one to three seconds, so that clients do not come back together.
	return Refusal{Reason: Shed, RetryAfter: time.Second + time.Duration(2*random/share*float64(time.Second))}
}
