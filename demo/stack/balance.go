package stack

import "fmt"

// Balance is what became of the spans, as the sampler counts them. In was taken in by this run; Recovered was left in
// storage by an earlier one, Rescued had been dropped and was kept after all. Failed was kept and could not be written.
type Balance struct{ In, Recovered, Rescued, Kept, Dropped, Failed, Held float64 }

// Lost is the number of spans that have no fate. It is negative when more were decided than came in.
func (b Balance) Lost() float64 {
	return b.In + b.Recovered + b.Rescued - b.Kept - b.Dropped - b.Failed - b.Held
}

// Balanced reports whether every span was kept or dropped.
func (b Balance) Balanced() bool { return b.Lost() == 0 && b.Held == 0 && b.Failed == 0 }

// String is the equation with its verdict, for a pipeline in which nothing moves any more.
func (b Balance) String() string {
	s := thousands(b.In) + " in"
	for _, back := range []struct {
		spans float64
		what  string
	}{{b.Recovered, "recovered"}, {b.Rescued, "rescued"}} {
		if back.spans != 0 {
			s += fmt.Sprintf(" + %s %s", thousands(back.spans), back.what)
		}
	}
	s += fmt.Sprintf(" = %s kept + %s dropped + %s held", thousands(b.Kept), thousands(b.Dropped), thousands(b.Held))
	if b.Failed != 0 {
		s += fmt.Sprintf(" + %s failed", thousands(b.Failed))
	}
	return s + b.verdict()
}

func (b Balance) verdict() string {
	lost := b.Lost()
	switch {
	case b.Balanced():
		return ": balanced"
	case lost > 0:
		return fmt.Sprintf(": NOT balanced, %s have no fate", thousands(lost))
	case lost < 0:
		return fmt.Sprintf(": NOT balanced, %s more were decided than came in", thousands(-lost))
	case b.Held != 0:
		return ": NOT balanced, some still wait"
	default:
		return ": NOT balanced, some could not be written"
	}
}
