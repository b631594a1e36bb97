package decisionmemory

import (
	"fmt"
	"testing"
	"time"
)

var benchSizes = []int{10_000, 1_000_000}

// full returns a memory that has seen three times its limits.
func full(limit int) *Memory {
	m := newSeeded(Settings{Kept: limit, Dropped: limit}, testHash)
	for n := range 3 * limit {
		m.Keep(start, number(n), Kept{})
		m.Drop(start, number(-1-n))
	}
	return m
}

func BenchmarkKeep(b *testing.B) {
	for _, limit := range benchSizes {
		b.Run(fmt.Sprintf("limit=%d", limit), func(b *testing.B) {
			m, n := full(limit), 3*limit
			b.ReportAllocs()
			for b.Loop() {
				m.Keep(start, number(n), Kept{})
				n++
			}
			b.ReportMetric(float64(m.keeps.bytes())/float64(limit), "B/keep")
		})
	}
}

func BenchmarkDrop(b *testing.B) {
	for _, limit := range benchSizes {
		b.Run(fmt.Sprintf("limit=%d", limit), func(b *testing.B) {
			m, n := full(limit), 3*limit
			b.ReportAllocs()
			for b.Loop() {
				m.Drop(start, number(-1-n))
				n++
			}
		})
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, limit := range benchSizes {
		m := full(limit)
		for _, q := range []struct {
			name string
			id   func(n int) int
		}{
			{"kept", func(n int) int { return 2*limit + n%limit }},
			{"dropped", func(n int) int { return -1 - 2*limit - n%limit }},
			{"unknown", func(n int) int { return 1<<40 + n }},
		} {
			b.Run(fmt.Sprintf("limit=%d/%s", limit, q.name), func(b *testing.B) {
				b.ReportAllocs()
				for n := 0; b.Loop(); n++ {
					m.Lookup(start, number(q.id(n*7919)))
				}
			})
		}
	}
}

// Growing from nothing to a full memory: what the longest single calls took. The very longest is the operating system's
// doing as often as ours; the one in ten thousand is ours.
func BenchmarkLongestCall(b *testing.B) {
	const limit = 1_000_000
	for _, op := range []struct {
		name string
		call func(m *Memory, n int)
	}{
		{"keep", func(m *Memory, n int) { m.Keep(start, number(n), Kept{}) }},
		{"drop", func(m *Memory, n int) { m.Drop(start, number(n)) }},
	} {
		b.Run(op.name, func(b *testing.B) {
			var over [4]int // 20, 50, 100, 200 µs
			calls := 0
			var longest time.Duration
			for b.Loop() {
				m := newSeeded(Settings{Kept: limit, Dropped: limit}, testHash)
				for n := range 3 * limit {
					begun := time.Now()
					op.call(m, n)
					took := time.Since(begun)
					longest = max(longest, took)
					for i, d := range [...]time.Duration{20, 50, 100, 200} {
						if took > d*time.Microsecond {
							over[i]++
						}
					}
					calls++
				}
			}
			b.ReportMetric(float64(longest.Microseconds()), "µs-longest")
			for i, name := range [...]string{">20µs/Mcall", ">50µs/Mcall", ">100µs/Mcall", ">200µs/Mcall"} {
				b.ReportMetric(float64(over[i])/float64(calls)*1e6, name)
			}
		})
	}
}
