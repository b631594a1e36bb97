// Package scenario holds the measurements. Each runs one engine in a process of its own and returns figures; which to
// run, how often and how to compare them is the caller's business.
package scenario

import (
	"fmt"
	"io"
	"time"

	"github.com/tailgate-otel/tailgate/internal/testkit/procstat"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/rig"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/traffic"
)

// Kind names a measurement.
type Kind string

// The measurements.
const (
	Closed Kind = "closed" // as fast as it goes, on one core
	Hold   Kind = "hold"   // fill with traces that nobody decides, and weigh
	Paced  Kind = "paced"  // a steady rate, with decisions
	HTTP   Kind = "http"   // behind the Collector's OTLP receiver, fed by another process
	Proxy  Kind = "proxy"  // the same, with what is kept sent on over HTTP to yet another
)

// A Spec says what a child process is to measure.
type Spec struct {
	Kind       Kind
	Engine     string
	Seed       uint64
	Unrepeated bool
	// Wait is the decision wait: whole seconds, as contrib knows no others.
	Wait time.Duration
	// Open is how many traces are expected to be open; tables are made for twice as many.
	Open int
	// Warm requests are sent before the measuring begins, Measured ones during it.
	Warm, Measured int
	// Rate in spans per second and Senders are for the paced kinds.
	Rate    int
	Senders int
	// SendTo is the endpoint of the collector that gets what is kept, of the proxy kind.
	SendTo string
}

// Figures are the results of one run, by name.
type Figures map[string]float64

// The figures. CPU is user and system time of the whole process in microseconds; sizes are bytes, times milliseconds.
const (
	CPUPerSpan    = "cpu_us_per_span"
	AllocsPerSpan = "allocations_per_span"
	SpansPerSec   = "spans_per_second"
	HeldPerSpan   = "held_bytes_per_span"
	HeapPerSpan   = "heap_bytes_per_span"
	OutPerSpan    = "outside_bytes_per_span"
	WirePerSpan   = "wire_bytes_per_span"
	FullGC        = "full_gc_ms"
	RSSFilled     = "rss_filled"
	RSSAverage    = "rss_average"
	RSSMax        = "rss_max"
	Cores         = "cores"
	GCShare       = "gc_share"
	Pause         = "longest_pause_ms"
	Late          = "late_ms"
	ConsumeP50    = "consume_p50_ms"
	ConsumeP99    = "consume_p99_ms"
	ConsumeP999   = "consume_p999_ms"
	ConsumeMax    = "consume_max_ms"
	DecodedP50    = "decode_consume_p50_ms"
	DecodedP99    = "decode_consume_p99_ms"
	DecodedP999   = "decode_consume_p999_ms"
	DecodedMax    = "decode_consume_max_ms"
)

// A Result is what a child process reports.
type Result struct {
	Figures Figures
	Kept    rig.Kept
}

// Run measures in this process. in and out are the control channel of the kinds over HTTP.
func Run(s Spec, e rig.Engine, in io.Reader, out io.Writer) (Result, error) {
	switch s.Kind {
	case Closed:
		return closed(s, e)
	case Hold:
		return hold(s, e)
	case Paced:
		return paced(s, e)
	case HTTP, Proxy:
		return serve(s, e, in, out)
	}
	return Result{}, fmt.Errorf("no measurement of the name %q", s.Kind)
}

// RequestsPerRound is small enough (8 MB) not to weigh on the figures and large enough (1,180 traces) for every kind of
// trace to be in a round. Whole rounds have only whole traces.
const RequestsPerRound = 64

// Stream is the traffic of one sender; different senders never share a trace.
func (s Spec) Stream(sender int) *traffic.Stream {
	return traffic.NewStream(traffic.Settings{
		Seed: s.Seed + uint64(sender), Requests: RequestsPerRound / max(s.Senders, 1), Unrepeated: s.Unrepeated,
	})
}

func (s Spec) start(e rig.Engine) (*rig.Rig, error) {
	return rig.Start(e, s.settings())
}

func (s Spec) settings() rig.Settings {
	return rig.Settings{DecisionWait: s.Wait, NumTraces: 2 * s.Open}
}

// markingCost is the CPU that making the traffic takes per span. It is subtracted: a sampler does not make its traffic.
func (s Spec) markingCost() time.Duration {
	const requests = 10 * RequestsPerRound
	stream := s.Stream(0)
	before := procstat.CPU()
	for range requests {
		stream.Next()
	}
	return (procstat.CPU() - before) / (requests * traffic.SpansPerRequest)
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// microsPerSpan spreads CPU over the spans of requests, making them left out.
func microsPerSpan(cpu time.Duration, requests int, marking time.Duration) float64 {
	return float64(cpu)/float64(time.Microsecond)/float64(requests*traffic.SpansPerRequest) - float64(marking)/float64(time.Microsecond)
}
