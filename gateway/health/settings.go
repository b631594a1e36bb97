package health

import (
	"errors"
	"fmt"
	"time"
)

// Settings say when the endpoints of a group are used. A zero field has its default; the package documentation says why it is
// that.
type Settings struct {
	// EjectBelow and UseAbove are scores. 0 is 40 and 60. EjectBelow -1 ejects nothing.
	EjectBelow, UseAbove float64
	// HealHalf is the time in which the distance from 100 halves without results. 0 is 10s.
	HealHalf time.Duration
	// SlowFactor is how many times the median latency of its peers an endpoint may have, SlowFloor how much more than that
	// median it may have in any case. 0 is 3 and 10ms. SlowFactor -1 does not look at latency.
	SlowFactor float64
	SlowFloor  time.Duration
	// SlowStart is the time in which a returning endpoint gets all its requests back. 0 is 30s; below 0: at once.
	SlowStart time.Duration
	// MaxEjected is the part of the endpoints that may be ejected; of two or more at least one may. 0 is 0.5.
	MaxEjected float64
	// PanicBelow is the part of healthy endpoints below which all are used. 0 is 0.3; below 0: never.
	PanicBelow float64
	// OnChange is told of ejections, returns and panics, after a round is complete and without any lock held. It must not
	// wait. Nil: nobody is told.
	OnChange func(Change)
	// OnShares is called after a round in which any share changed, likewise: refresh the balancers. It may be nil.
	OnShares func()
}

// Validate reports all that is wrong.
func (s Settings) Validate() error {
	s = s.withDefaults()
	var errs []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(s.EjectBelow > 100, "eject_below: must be at most 100, got %g", s.EjectBelow)
	refuse(s.UseAbove > 100 || s.UseAbove < s.EjectBelow, "use_above: must be from eject_below (%g) to 100, got %g", s.EjectBelow, s.UseAbove)
	refuse(s.HealHalf < 0, "heal_half: must be positive, got %s", s.HealHalf)
	refuse(s.SlowFactor > 0 && s.SlowFactor <= 1, "slow_factor: must be above 1, or -1 to ignore latency, got %g", s.SlowFactor)
	refuse(s.SlowFloor < 0, "slow_floor: must be positive, got %s", s.SlowFloor)
	refuse(s.MaxEjected < 0 || s.MaxEjected > 1, "max_ejected: must be above 0 and at most 1, got %g", s.MaxEjected)
	refuse(s.PanicBelow > 1, "panic_below: must be at most 1, got %g", s.PanicBelow)
	return errors.Join(errs...)
}

func (s Settings) withDefaults() Settings {
	or(&s.EjectBelow, 40)
	or(&s.UseAbove, 60)
	or(&s.HealHalf, 10*time.Second)
	or(&s.SlowFactor, 3)
	or(&s.SlowFloor, 10*time.Millisecond)
	or(&s.SlowStart, 30*time.Second)
	or(&s.MaxEjected, 0.5)
	or(&s.PanicBelow, 0.3)
	return s
}

func or[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
