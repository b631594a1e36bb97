package otlpwire_test

import (
	"fmt"
	"syscall"
	"testing"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/otlpwire"
)

// facts is what a tail sampler takes from every span; tally sums it so that nothing is optimised away.
type facts struct {
	spans, errors, hits int
	ids                 byte
	duration            uint64
}

func (f *facts) tally(req otlpwire.Request) {
	var s otlpwire.Span
	for rs := range req.ResourceSpans() {
		for ss := range rs.Scopes() {
			for raw := range ss.Spans() {
				s.Decode(raw)
				f.spans++
				f.ids ^= s.TraceID[3] ^ s.SpanID[1] ^ s.ParentID[2]
				f.duration += s.End - s.Start
				if s.Status == 2 {
					f.errors++
				}
				for key, v := range s.Attributes() {
					if string(key) == "http.response.status_code" && v.Int() >= 200 {
						f.hits++
					}
				}
			}
		}
	}
}

// BenchmarkRead measures a full check, a read of every span's facts with a walk over its attributes, and both; compare
// with BenchmarkPdata in the same run. The least of 5 runs of 300 rounds on two shared cores of an EPYC, Go 1.26.8, in
// CPU ns per span: check 242 to 253, facts 340 to 354, both 587 to 610, pdata 2886. So both take 0.21 of pdata's time.
func BenchmarkRead(b *testing.B) {
	for _, order := range []string{"descending", "ascending"} {
		body := marshal(b, ordinary(4, 256))
		if order == "ascending" {
			body = ascending(body)
		}
		req, err := otlpwire.Parse(body, otlpwire.DefaultLimits)
		if err != nil {
			b.Fatal(err)
		}
		b.Run("order="+order+"/check", func(b *testing.B) {
			measure(b, func() {
				if _, err := otlpwire.Parse(body, otlpwire.DefaultLimits); err != nil {
					b.Fatal(err)
				}
			})
		})
		b.Run("order="+order+"/facts", func(b *testing.B) {
			var f facts
			measure(b, func() { f.tally(req) })
		})
		b.Run("order="+order+"/both", func(b *testing.B) {
			var f facts
			measure(b, func() {
				req, err := otlpwire.Parse(body, otlpwire.DefaultLimits)
				if err != nil {
					b.Fatal(err)
				}
				f.tally(req)
			})
		})
	}
}

// BenchmarkPdata is what BenchmarkRead is compared with: decoding alone, no reading.
func BenchmarkPdata(b *testing.B) {
	body := marshal(b, ordinary(4, 256))
	measure(b, func() {
		if _, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(body); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkWrite measures a request put together from the bytes of its parts, as a sampler sends what it keeps.
func BenchmarkWrite(b *testing.B) {
	body := marshal(b, ordinary(4, 256))
	req, err := otlpwire.Parse(body, otlpwire.DefaultLimits)
	if err != nil {
		b.Fatal(err)
	}
	for _, guess := range []int{0, 1 << 16} {
		b.Run(fmt.Sprintf("guess=%d", guess), func(b *testing.B) {
			var dst []byte
			measure(b, func() { dst = assemble(dst[:0], req, guess) })
			if len(dst) != len(body) {
				b.Fatalf("wrote %d bytes of %d", len(dst), len(body))
			}
		})
	}
}

// measure runs f and reports the process's CPU time per span, which other programs on the machine disturb less than
// they do the clock, and which charges the garbage collector's work on other cores to whoever caused it.
func measure(b *testing.B, f func()) {
	const spans = 256
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		f()
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N*spans), "cpu-ns/span")
}

func cpuTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// assemble writes req from the bytes of its parts. guess is the size of a ResourceSpans and of a ScopeSpans.
func assemble(dst []byte, req otlpwire.Request, guess int) []byte {
	var outer, inner otlpwire.Mark
	for rs := range req.ResourceSpans() {
		dst, outer = otlpwire.Begin(dst, otlpwire.RequestResourceSpans, guess)
		dst = otlpwire.AppendText(dst, otlpwire.ResourceSpansSchemaURL, rs.SchemaURL)
		for ss := range rs.Scopes() {
			dst, inner = otlpwire.Begin(dst, otlpwire.ResourceSpansScopes, guess)
			dst = otlpwire.AppendText(dst, otlpwire.ScopeSpansSchemaURL, ss.SchemaURL)
			for raw := range ss.Spans() {
				dst = otlpwire.AppendBytes(dst, otlpwire.ScopeSpansSpans, raw)
			}
			dst = otlpwire.AppendBytes(dst, otlpwire.ScopeSpansScope, ss.Scope)
			dst = otlpwire.End(dst, inner)
		}
		dst = otlpwire.AppendBytes(dst, otlpwire.ResourceSpansResource, rs.Resource)
		dst = otlpwire.End(dst, outer)
	}
	return dst
}
