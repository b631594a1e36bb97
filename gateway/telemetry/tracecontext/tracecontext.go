package tracecontext

import (
	"encoding/binary"
	"math/rand/v2"
	"net/http"

	"go.opentelemetry.io/otel/trace"

	"github.com/tailgate-otel/tailgate/internal/probability"
)

// Trust says how far the trace context of clients is believed.
type Trust uint8

const (
	// Continue makes a request part of its client's trace.
	Continue Trust = iota
	// Link begins a trace of its own and points to the client's: the choice at an edge that strangers reach, since it
	// leaves neither the sampling decision nor the trace id to them.
	Link
	// Ignore begins a trace of its own and takes no notice; baggage is not passed on either.
	Ignore
)

// Settings are the rules of a Policy. The zero value believes clients, reads no B3 and samples every trace that begins
// here.
type Settings struct {
	Trust Trust
	// B3 says whether B3 headers are read when there is no traceparent.
	B3 bool
	// RootThreshold decides about traces that begin here. Always, the zero value, leaves sampling to the collector.
	RootThreshold probability.Threshold
	// BaggageBytes and BaggageMembers bound what is passed on. Default 8192 and 64, to which W3C obliges everyone; less
	// breaks others' baggage, more is memory that clients may fill in every hop.
	BaggageBytes, BaggageMembers int
}

// Policy gives requests their place in a trace. It is immutable and safe for concurrent use.
type Policy struct {
	settings  Settings
	rootState string // tracestate of sampled traces that begin here
}

// New returns a policy.
func New(s Settings) *Policy {
	if s.BaggageBytes <= 0 {
		s.BaggageBytes = defaultBaggageBytes
	}
	if s.BaggageMembers <= 0 {
		s.BaggageMembers = defaultBaggageMembers
	}
	p := &Policy{settings: s}
	if s.RootThreshold != probability.Always && s.RootThreshold < probability.Never {
		p.rootState = "ot=th:" + s.RootThreshold.String()
	}
	return p
}

// Context is the place of one span in its trace.
type Context struct {
	TraceID trace.TraceID
	SpanID  trace.SpanID
	Parent  trace.SpanID // zero: the span is a root
	Flags   trace.TraceFlags
	// ParentRemote says that the parent was named by a request's header.
	ParentRemote bool
	// State is the tracestate, well formed, as it goes into the span and upstream.
	State string
	// LinkTraceID, LinkSpanID and LinkFlags are the client's context under Link; zero if there is none.
	LinkTraceID trace.TraceID
	LinkSpanID  trace.SpanID
	LinkFlags   trace.TraceFlags
}

// Sampled says whether the span is to be recorded.
func (c *Context) Sampled() bool { return c.Flags.IsSampled() }

// Linked says whether the span has a link to the client's.
func (c *Context) Linked() bool { return c.LinkTraceID.IsValid() }

// Begin returns the context of the server span of a request with header h, which it only reads.
//
// The random flag is not set on traces that begin here, although their ids are random: the SDK does not set it either, and
// receivers of Trace Context level 1 may refuse a traceparent with a flag that they do not know.
func (p *Policy) Begin(h http.Header) Context {
	var r remote
	if p.settings.Trust != Ignore {
		var found bool
		if r, found = readW3C(h); !found && p.settings.B3 {
			r = readB3(h)
		}
	}
	c := Context{SpanID: newSpanID()}
	switch {
	case r.valid() && p.settings.Trust == Continue:
		c.TraceID, c.Parent, c.ParentRemote, c.Flags, c.State = r.traceID, r.spanID, true, r.flags, r.state
		if !r.decided {
			p.decide(&c)
		}
		return c
	case r.valid():
		c.LinkTraceID, c.LinkSpanID, c.LinkFlags = r.traceID, r.spanID, r.flags
	}
	c.TraceID = newTraceID()
	if r.decided && !r.valid() && p.settings.Trust == Continue { // B3 without ids
		c.Flags = r.flags
		return c
	}
	p.decide(&c)
	return c
}

// decide samples a trace about which nobody has decided yet.
func (p *Policy) decide(c *Context) {
	if p.settings.RootThreshold.Keeps(probability.Randomness(c.TraceID)) {
		c.Flags |= trace.FlagsSampled
		c.State = p.rootState
	}
}

// Child returns the context of a new span below c.
func (c *Context) Child() Context {
	return Context{TraceID: c.TraceID, SpanID: newSpanID(), Parent: c.SpanID, Flags: c.Flags, State: c.State}
}

// SpanContext returns c for OpenTelemetry's API: put into a context.Context with trace.ContextWithSpanContext, it is the
// parent of what ordinary code records. It allocates only if there is a tracestate.
func (c *Context) SpanContext() trace.SpanContext {
	config := trace.SpanContextConfig{TraceID: c.TraceID, SpanID: c.SpanID, TraceFlags: c.Flags}
	if c.State != "" {
		// State is well formed; if that were not so, nested spans would do without.
		config.TraceState, _ = trace.ParseTraceState(c.State)
	}
	return trace.NewSpanContext(config)
}

// newTraceID returns random bytes. The top-level functions of math/rand/v2 use a ChaCha8 generator per thread: unlike the
// SDK's ids they cost neither a lock nor a generator of their own, and cannot be guessed from those seen before.
func newTraceID() (id trace.TraceID) {
	for !id.IsValid() {
		binary.BigEndian.PutUint64(id[:8], rand.Uint64())
		binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	}
	return id
}

func newSpanID() (id trace.SpanID) {
	for !id.IsValid() {
		binary.BigEndian.PutUint64(id[:], rand.Uint64())
	}
	return id
}
