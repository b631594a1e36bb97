package stack

import "fmt"

// Balance is what became of the spans: In is what the collector accepted. Failed were kept and could not be written.
type Balance struct{ In, Kept, Dropped, Failed float64 }

// Held is the number of spans that have no fate yet: those that wait for a decision, or, when none can be waiting any
// more, those that got lost. It is negative when more spans were decided than came in.
func (b Balance) Held() float64 { return b.In - b.Kept - b.Dropped - b.Failed }

// Balanced reports whether every span that came in was kept or dropped.
func (b Balance) Balanced() bool { return b.Held() == 0 && b.Failed == 0 }

// String is the equation with its verdict, for a pipeline in which nothing moves any more.
func (b Balance) String() string {
	s := fmt.Sprintf("%s in = %s kept + %s dropped + %s held", thousands(b.In), thousands(b.Kept), thousands(b.Dropped), thousands(b.Held()))
	if b.Failed != 0 {
		s += fmt.Sprintf(" + %s failed", thousands(b.Failed))
	}
	switch held := b.Held(); {
	case b.Balanced():
		return s + ": balanced"
	case held > 0:
		return s + fmt.Sprintf(": NOT balanced, %s have no fate", thousands(held))
	case held < 0:
		return s + fmt.Sprintf(": NOT balanced, %s more were decided than came in", thousands(-held))
	default:
		return s + ": NOT balanced, some could not be written"
	}
}
