package segstore

import (
	"math"
	"testing"
)

// A name that is accepted is the one that its key would be written to; everything else would be two names for one.
func FuzzParseName(f *testing.F) {
	for _, k := range []key{{0, 0}, {7, 1}, {math.MaxInt, math.MaxUint64}} {
		f.Add(k.String() + suffix)
	}
	for _, odd := range []string{"", suffix, "-.seg", "1-.seg", "-1-1.seg", "1-1", "01-1.seg", "1-1-1.seg", "1-1.seg.seg", "1_1-1.seg"} {
		f.Add(odd)
	}
	f.Fuzz(func(t *testing.T, name string) {
		k, err := parseName(name)
		switch {
		case err == nil && k.String()+suffix != name:
			t.Errorf("%q is read as %v", name, k)
		case err == nil && k.shard < 0:
			t.Errorf("%q has a negative shard", name)
		}
	})
}

func TestParseName(t *testing.T) {
	for _, k := range []key{{0, 0}, {7, 1}, {12, 34}, {math.MaxInt, math.MaxUint64}} {
		if got, err := parseName(k.String() + suffix); err != nil || got != k {
			t.Errorf("%v is read as %v, %v", k, got, err)
		}
	}
}
