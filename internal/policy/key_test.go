package policy

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/dynsample"
	"github.com/tailgate-otel/tailgate/internal/probability"
)

// A recorder is a sampler that writes down what it is asked.
type recorder struct {
	asked     []string
	threshold probability.Threshold
}

func (r *recorder) Threshold(_ time.Time, key string, weight float64, spans int) probability.Threshold {
	r.asked = append(r.asked, fmt.Sprintf("%s weight=%.4g spans=%d", key, weight, spans))
	return r.threshold
}

func (*recorder) Top(int) []dynsample.KeyRate { return nil }
func (*recorder) Keys() int                   { return 0 }
func (*recorder) Bytes() int                  { return 0 }

func TestSamplerIsTold(t *testing.T) {
	p := mustCompile(t, Settings{Rules: []RuleConfig{{Name: "all", Then: ThenConfig{Keep: true}}}})
	r := &recorder{threshold: probability.FromProbability(0.5)}
	p.policies[0].expr.(*rule).then = newAdaptive(r, []string{"service.name", "root.route"})
	h := newHeld(p, pcommon.TraceID{15: 1})
	s := &scenario{t: t}
	for _, line := range []string{
		`{resource: {service.name: web}, attributes: {route: /cart}, tracestate: 'ot=th:c;rv:f0000000000000'}`,
		`{resource: {service.name: db}, attributes: {route: /sql}, child: true, times: 2, tracestate: 'ot=th:e'}`,
		`{resource: {service.name: 7}, attributes: {route: true}, child: true}`,
	} {
		h.add(p, s.fragment(h.id, line))
	}
	v := p.Decide(time.Unix(1, 0), h.trace())
	if want := (Verdict{Outcome: Sampled, SubPolicy: -1, Threshold: 1 << 55, HasThreshold: true}); v != want {
		t.Errorf("Decide = %+v, want %+v", v, want)
	}

	trace := h.trace()
	trace.Spans = func() ptrace.Traces { t.Error("decoded although Fields is set"); return h.spans }
	trace.Fields = fieldsOf(h.spans)
	p.Decide(time.Unix(1, 0), trace)

	// The first th, 0.25 of all, says for how many the trace stands.
	want := "7,db,web•/cart weight=4 spans=4"
	if got := strings.Join(r.asked, "; "); got != want+"; "+want {
		t.Errorf("the sampler was asked %s\nwant twice %s", got, want)
	}
}

// TestKeyIgnoresOrder shuffles spans: neither key nor signature may change.
func TestKeyIgnoresOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	a := newAdaptive(&recorder{}, []string{"k", SpanName, SpanStatus})
	var lines []string
	for i := range 2 * maxFieldValues {
		lines = append(lines, fmt.Sprintf("{resource: {service.name: s%d}, attributes: {k: v%02d}, name: n%d, status: %s}", i%3, i, i%4, []string{"ok", "error"}[i%2]))
	}
	s := &scenario{t: t}
	build := func() (string, uint64) {
		td := ptrace.NewTraces()
		for _, line := range lines {
			s.fragment(pcommon.TraceID{}, line).ResourceSpans().MoveAndAppendTo(td.ResourceSpans())
		}
		ev := &evaluation{}
		ev.reset(&Trace{Facts: &Facts{}, Spans: func() ptrace.Traces { return td }})
		return a.key(ev), signature(td)
	}
	key, sig := build()
	if want := "v00,v01,v02,v03,v04,v05,v06,v07,v08,v09,v10,v11,v12,v13,v14,v15•n0,n1,n2,n3•1,2"; key != want {
		t.Errorf("key %s, want %s", key, want)
	}
	for range 20 {
		r.Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
		if k, s := build(); k != key || s != sig {
			t.Fatalf("in another order: key %s, signature %x; was %s, %x", k, s, key, sig)
		}
	}
	lines[0] = strings.Replace(lines[0], "name: n", "name: m", 1)
	if _, s := build(); s == sig {
		t.Error("another span name leaves the signature as it was")
	}
}
