package tracecontext_test

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/tailgate-otel/tailgate/gateway/telemetry/tracecontext"
	"github.com/tailgate-otel/tailgate/internal/probability"
)

const (
	remoteTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	remoteSpan   = "00f067aa0ba902b7"
	remoteParent = "00-" + remoteTrace + "-" + remoteSpan + "-01"
)

func header(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

func TestBegin(t *testing.T) {
	b3 := tracecontext.Settings{B3: true}
	for _, tc := range []struct {
		name     string
		settings tracecontext.Settings
		header   []string
		want     string // trace parent flags state link, - for none, new for an id of our own
	}{
		{"nothing", tracecontext.Settings{}, nil, "new - 01 - -"},
		{"valid", tracecontext.Settings{}, []string{"traceparent", remoteParent, "tracestate", "a=1", "tracestate", "b=2"}, remoteTrace + " " + remoteSpan + " 01 a=1,b=2 -"},
		{"not sampled", tracecontext.Settings{}, []string{"traceparent", remoteParent[:53] + "00"}, remoteTrace + " " + remoteSpan + " 00 - -"},
		{"random flag", tracecontext.Settings{}, []string{"traceparent", remoteParent[:53] + "03"}, remoteTrace + " " + remoteSpan + " 03 - -"},
		{"unknown flag of version 00", tracecontext.Settings{}, []string{"traceparent", remoteParent[:53] + "04"}, "new - 01 - -"},
		{"later version", tracecontext.Settings{}, []string{"traceparent", "cc" + remoteParent[2:53] + "ff-more"}, remoteTrace + " " + remoteSpan + " 03 - -"},
		{"later version, no dash", tracecontext.Settings{}, []string{"traceparent", "cc" + remoteParent[2:] + ".more"}, "new - 01 - -"},
		{"version ff", tracecontext.Settings{}, []string{"traceparent", "ff" + remoteParent[2:]}, "new - 01 - -"},
		{"trailing dash", tracecontext.Settings{}, []string{"traceparent", remoteParent + "-"}, "new - 01 - -"},
		{"upper case", tracecontext.Settings{}, []string{"traceparent", strings.ToUpper(remoteParent)}, "new - 01 - -"},
		{"two parents", tracecontext.Settings{}, []string{"traceparent", remoteParent, "traceparent", remoteParent}, "new - 01 - -"},
		{"zero trace", tracecontext.Settings{}, []string{"traceparent", "00-" + strings.Repeat("0", 32) + "-" + remoteSpan + "-01"}, "new - 01 - -"},
		{"state without parent", tracecontext.Settings{}, []string{"tracestate", "a=1"}, "new - 01 - -"},
		{"bad state", tracecontext.Settings{}, []string{"traceparent", remoteParent, "tracestate", "A=1"}, remoteTrace + " " + remoteSpan + " 01 - -"},
		{"state said twice", tracecontext.Settings{}, []string{"traceparent", remoteParent, "tracestate", "a=1,b=1, a=2"}, remoteTrace + " " + remoteSpan + " 01 - -"},
		{"state with blanks", tracecontext.Settings{}, []string{"traceparent", remoteParent, "tracestate", " a=1 ,, \t b=2,"}, remoteTrace + " " + remoteSpan + " 01 a=1,b=2 -"},
		{"link", tracecontext.Settings{Trust: tracecontext.Link}, []string{"traceparent", remoteParent, "tracestate", "a=1"}, "new - 01 - " + remoteTrace + "-" + remoteSpan + "-01"},
		{"link to an unsampled one", tracecontext.Settings{Trust: tracecontext.Link}, []string{"traceparent", remoteParent[:53] + "00"}, "new - 01 - " + remoteTrace + "-" + remoteSpan + "-00"},
		{"link to garbage", tracecontext.Settings{Trust: tracecontext.Link}, []string{"traceparent", "x"}, "new - 01 - -"},
		{"ignore", tracecontext.Settings{Trust: tracecontext.Ignore, B3: true}, []string{"traceparent", remoteParent, "b3", "0"}, "new - 01 - -"},
		{"root dropped", tracecontext.Settings{RootThreshold: probability.Never}, nil, "new - 00 - -"},
		{"remote decision wins over ours", tracecontext.Settings{RootThreshold: probability.Never}, []string{"traceparent", remoteParent}, remoteTrace + " " + remoteSpan + " 01 - -"},

		{"b3 not read", tracecontext.Settings{}, []string{"b3", remoteTrace + "-" + remoteSpan + "-1"}, "new - 01 - -"},
		{"b3 single", b3, []string{"b3", remoteTrace + "-" + remoteSpan + "-1-" + remoteSpan}, remoteTrace + " " + remoteSpan + " 01 - -"},
		{"b3 debug", b3, []string{"b3", remoteTrace + "-" + remoteSpan + "-d"}, remoteTrace + " " + remoteSpan + " 01 - -"},
		{"b3 denied", b3, []string{"b3", remoteTrace + "-" + remoteSpan + "-0"}, remoteTrace + " " + remoteSpan + " 00 - -"},
		{"b3 undecided", b3, []string{"b3", remoteTrace + "-" + remoteSpan}, remoteTrace + " " + remoteSpan + " 01 - -"},
		{"b3 undecided, we drop", tracecontext.Settings{B3: true, RootThreshold: probability.Never}, []string{"b3", remoteTrace + "-" + remoteSpan}, remoteTrace + " " + remoteSpan + " 00 - -"},
		{"b3 of 64 bits", b3, []string{"b3", remoteTrace[16:] + "-" + remoteSpan + "-1"}, strings.Repeat("0", 16) + remoteTrace[16:] + " " + remoteSpan + " 01 - -"},
		{"b3 decision alone", b3, []string{"b3", "0"}, "new - 00 - -"},
		{"b3 decision alone at a linking edge", tracecontext.Settings{B3: true, Trust: tracecontext.Link}, []string{"b3", "0"}, "new - 01 - -"},
		{"b3 garbage", b3, []string{"b3", "x-y-z"}, "new - 01 - -"},
		{"b3 several", b3, []string{"X-B3-TraceId", remoteTrace, "X-B3-SpanId", remoteSpan, "X-B3-Sampled", "0"}, remoteTrace + " " + remoteSpan + " 00 - -"},
		{"b3 several, debug", b3, []string{"X-B3-TraceId", remoteTrace, "X-B3-SpanId", remoteSpan, "X-B3-Sampled", "0", "X-B3-Flags", "1"}, remoteTrace + " " + remoteSpan + " 01 - -"},
		{"b3 several, no span", b3, []string{"X-B3-TraceId", remoteTrace}, "new - 01 - -"},
		{"b3 single is garbage", b3, []string{"b3", "x", "X-B3-TraceId", remoteTrace, "X-B3-SpanId", remoteSpan}, remoteTrace + " " + remoteSpan + " 01 - -"},
		{"b3 single twice", b3, []string{"b3", remoteTrace + "-" + remoteSpan + "-1", "b3", "0"}, "new - 01 - -"},
		{"b3 beside w3c", b3, []string{"traceparent", remoteParent, "b3", "0"}, remoteTrace + " " + remoteSpan + " 01 - -"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := tracecontext.New(tc.settings).Begin(header(tc.header...))
			if got := describe(&c); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
			if c.ParentRemote != c.Parent.IsValid() || !c.SpanID.IsValid() || c.SpanID == c.Parent {
				t.Errorf("span %s below %s, remote %v", c.SpanID, c.Parent, c.ParentRemote)
			}
		})
	}
}

func describe(c *tracecontext.Context) string {
	out := []string{"new", "-", c.Flags.String(), "-", "-"}
	if c.Parent.IsValid() {
		out[0], out[1] = c.TraceID.String(), c.Parent.String()
	}
	if c.State != "" {
		out[3] = c.State
	}
	if c.Linked() {
		out[4] = c.LinkTraceID.String() + "-" + c.LinkSpanID.String() + "-" + c.LinkFlags.String()
	}
	return strings.Join(out, " ")
}

// TestInject: whatever stood in the header, one context comes out, and the SDK's propagator reads it back.
func TestInject(t *testing.T) {
	p := tracecontext.New(tracecontext.Settings{B3: true})
	h := header("traceparent", remoteParent, "traceparent", remoteParent, "tracestate", "a=1", "b3", "0", "x-b3-traceid", remoteTrace, "X-Other", "1")
	server := p.Begin(header("traceparent", remoteParent, "tracestate", "b=2"))
	attempt := server.Child()
	attempt.Inject(h)
	if len(h["Traceparent"]) != 1 || len(h) != 3 {
		t.Errorf("header %v, want one traceparent, one tracestate and X-Other", h)
	}
	got := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(t.Context(), propagation.HeaderCarrier(h)))
	if want := attempt.SpanContext().WithRemote(true); !got.Equal(want) {
		t.Errorf("the propagator reads %v, want %v", got, want)
	}
	if attempt.Parent != server.SpanID || attempt.TraceID != server.TraceID || attempt.ParentRemote || attempt.SpanID == server.SpanID {
		t.Errorf("%+v is not a child of %+v", attempt, server)
	}
}

// TestInjectLeavesSharedValues: header values of one request may share an array with the request it was cloned from.
func TestInjectLeavesSharedValues(t *testing.T) {
	values := []string{remoteParent}
	c := tracecontext.New(tracecontext.Settings{}).Begin(nil)
	c.Inject(http.Header{"Traceparent": values})
	if values[0] != remoteParent {
		t.Errorf("the client's header was overwritten with %s", values[0])
	}
}

func TestRootSamplingIsConsistent(t *testing.T) {
	th := probability.FromProbability(0.25)
	p := tracecontext.New(tracecontext.Settings{RootThreshold: th})
	const n = 20_000
	kept := 0
	for range n {
		c := p.Begin(nil)
		if c.Sampled() != th.Keeps(probability.Randomness(c.TraceID)) {
			t.Fatalf("trace %s: sampled=%v is not what its id says", c.TraceID, c.Sampled())
		}
		if c.Sampled() {
			kept++
			if c.State != "ot=th:c" {
				t.Fatalf("tracestate %q, want the threshold of 1/4", c.State)
			}
		} else if c.State != "" {
			t.Fatalf("a dropped trace has the tracestate %q", c.State)
		}
	}
	// Standard deviation is sqrt(n*0.25*0.75) = 61; six of them are off once in 10^9 runs.
	if kept < n/4-366 || kept > n/4+366 {
		t.Errorf("%d of %d kept, want a quarter", kept, n)
	}
}

// TestLikeThePropagator mutates valid headers and compares with the SDK's propagator. The one intended difference is a
// dash after the flags of version 00, which section 3.2.2 does not allow and the propagator overlooks.
func TestLikeThePropagator(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	alphabet := "00-1f-aA=,;@ \t_*/zZ~\x7f\x80"
	mutate := func(s string) string {
		b := []byte(s)
		for range rnd.IntN(3) {
			switch i := rnd.IntN(len(b)); rnd.IntN(3) {
			case 0:
				b[i] = alphabet[rnd.IntN(len(alphabet))]
			case 1:
				b = append(b[:i], b[i+1:]...)
			default:
				b = append(b[:i], append([]byte{alphabet[rnd.IntN(len(alphabet))]}, b[i:]...)...)
			}
		}
		return string(b)
	}
	p := tracecontext.New(tracecontext.Settings{})
	parents := []string{remoteParent, "cc" + remoteParent[2:] + "-x", remoteParent[:53] + "03"}
	states := []string{"a=1", "a=1,b=2", "tenant@sys=v w,k_*/-=~", "a=1,,b=2 ", "ot=th:c;rv:00000000000001", "a=" + strings.Repeat("x", 256)}
	for range 200_000 {
		parent := mutate(parents[rnd.IntN(len(parents))])
		if len(parent) == 56 && strings.HasPrefix(parent, "00") && parent[55] == '-' {
			continue
		}
		h := http.Header{"Traceparent": {parent}, "Tracestate": {mutate(states[rnd.IntN(len(states))])}}
		want := trace.SpanContextFromContext(propagation.TraceContext{}.Extract(t.Context(), propagation.HeaderCarrier(h)))
		got := p.Begin(h)
		if got.Parent != want.SpanID() || want.IsValid() && (got.TraceID != want.TraceID() || got.Flags != want.TraceFlags() || got.State != want.TraceState().String()) {
			t.Fatalf("%q: got %s, want %v", h, describe(&got), want)
		}
	}
}

func FuzzTracestate(f *testing.F) {
	for _, s := range []string{"a=1", " a=1 , b=2", "a@b=1", "=", "a==", strings.Repeat("a=1,", 40)} {
		f.Add(s)
	}
	p := tracecontext.New(tracecontext.Settings{})
	f.Fuzz(func(t *testing.T, s string) {
		c := p.Begin(http.Header{"Traceparent": {remoteParent}, "Tracestate": {s}})
		want, err := trace.ParseTraceState(s)
		if err != nil {
			want = trace.TraceState{}
		}
		if c.State != want.String() {
			t.Errorf("%q: got %q, want %q", s, c.State, want.String())
		}
	})
}

func TestLimitBaggage(t *testing.T) {
	long := "k=" + strings.Repeat("x", 50)
	for _, tc := range []struct {
		name    string
		trust   tracecontext.Trust
		lines   []string
		want    string
		dropped int
	}{
		{"none", tracecontext.Continue, nil, "", 0},
		{"within", tracecontext.Continue, []string{"a=1,b=2", "c=3"}, "a=1,b=2|c=3", 0},
		{"too many", tracecontext.Continue, []string{"a=1,b=2", "c=3,d=4"}, "a=1,b=2,c=3", 1},
		{"too long", tracecontext.Link, []string{"a=1," + long + "," + long}, "a=1," + long, 1},
		{"one that is too long", tracecontext.Continue, []string{long + long}, "", 1},
		{"ignored", tracecontext.Ignore, []string{"a=1"}, "", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := tracecontext.New(tracecontext.Settings{Trust: tc.trust, BaggageBytes: 64, BaggageMembers: 3})
			h := http.Header{}
			if tc.lines != nil {
				h["Baggage"] = tc.lines
			}
			dropped := p.LimitBaggage(h)
			if got := strings.Join(h["Baggage"], "|"); got != tc.want || dropped != tc.dropped {
				t.Errorf("got %q, %d dropped; want %q, %d", got, dropped, tc.want, tc.dropped)
			}
			if _, there := h["Baggage"]; there != (tc.want != "") {
				t.Error("an empty header is left")
			}
		})
	}
}

func TestNestsOrdinarySpans(t *testing.T) {
	c := tracecontext.New(tracecontext.Settings{}).Begin(header("traceparent", remoteParent, "tracestate", "a=1"))
	sc := trace.SpanContextFromContext(trace.ContextWithSpanContext(t.Context(), c.SpanContext()))
	if sc.TraceID() != c.TraceID || sc.SpanID() != c.SpanID || !sc.IsSampled() || sc.IsRemote() || sc.TraceState().Get("a") != "1" {
		t.Errorf("ordinary code sees %v", sc)
	}
}

func TestAllocatesNothing(t *testing.T) {
	p := tracecontext.New(tracecontext.Settings{B3: true})
	for name, h := range map[string]http.Header{
		"root": {}, "w3c": header("traceparent", remoteParent, "tracestate", "a=1,b=2", "baggage", "k=v"),
		"b3": header("b3", remoteTrace+"-"+remoteSpan+"-1"), "bad": header("traceparent", remoteParent+"x"),
	} {
		buf := make([]byte, 0, 64)
		if n := testing.AllocsPerRun(100, func() {
			c := p.Begin(h)
			child := c.Child()
			buf = child.AppendTraceparent(buf[:0])
			p.LimitBaggage(h)
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
