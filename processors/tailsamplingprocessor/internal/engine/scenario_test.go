package engine

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/probability"
	"github.com/tailgate-otel/tailgate/internal/testkit/script"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
)

// TestScenarios runs testdata/scenarios. Commands:
//
//	shard <settings>     a new shard; the policies follow. Without any: errors are kept.
//	spans at= service=   one ResourceSpans. Lines are spans: the name of the trace, then `root` (else it has a parent),
//	                     `error`, `pad=<bytes that never repeat>` or attributes. `--` in a line releases the lock.
//	                     Spans are named after their trace and number.
//	tick at=             decides what is due
//	pressure <0 to 1>    relieve at=     drop-all     decide at= n=
//	reload               new policies follow
//	hold, deliver at=    kept traces are delivered at once, unless held
//	rescue at= trace=    explain at= trace=
//	teach at= n= service= after=
//	                     n traces of the kind that waits are learned from, whose last span comes so long after the root
//	gate at= level=      of what is sent from here on new traces come in by chance; level=0: all
//	tear segment=        all records of a segment are damaged
//	restart at=          the process was killed, and its log is taken up
//	stats, log
//
// The answer to each is what was kept and dropped by it.
func TestScenarios(t *testing.T) {
	script.Run(t, "testdata/scenarios/*.txt", func(t *testing.T) func(script.Step) string {
		return (&scenario{t: t}).run
	})
}

type scenario struct {
	t     *testing.T
	set   Settings
	log   tracelog.Settings
	store *store

	feeder  feeder
	program *policy.Program
	spans   map[string]int // sent, by trace
	held    []Decision
	hold    bool
	before  Stats
	isOpen  map[string]bool
	at      time.Duration
	out     strings.Builder
}

func (s *scenario) run(st script.Step) string {
	words := strings.Fields(st.Command)
	options := map[string]string{}
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		options[key] = value
	}
	if at := options["at"]; at != "" {
		s.at = s.duration(at)
	}
	s.out.Reset()
	if words[0] == "shard" {
		s.start(options, st.Input)
		return "ok"
	}
	if words[0] == "tear" { // the process does not see it before the restart
		tear(s.store.segments[uint64(s.number(options["segment"]))])
		return "ok"
	}
	s.do(words[0], options, st.Input)
	s.report()
	if s.out.Len() == 0 {
		return "nothing"
	}
	return s.out.String()
}

func (s *scenario) say(format string, args ...any) { fmt.Fprintf(&s.out, format+"\n", args...) }

func (s *scenario) do(command string, options map[string]string, input string) {
	shard, now := s.feeder.shard, moment(s.at)
	switch command {
	case "spans":
		s.send(now, options, input)
	case "tick":
		for shard.Advance(now, 2) {
		}
	case "pressure":
		for p := range options {
			shard.SetPressure(s.number(p))
		}
	case "relieve":
		s.say("%s", map[bool]string{true: "relieved", false: "nothing to relieve"}[shard.Relieve(now)])
	case "drop-all":
		shard.DropAll()
	case "decide":
		shard.DecideOldest(now, int(s.number(options["n"])), ReasonShutdown)
	case "reload":
		s.program = compilePolicies(s.t, input, s.strategy())
		shard.SetProgram(s.program)
	case "teach":
		s.teach(options)
	case "gate":
		s.feeder.level = Level(s.number(options["level"]))
		s.feeder.weigh = true
	case "hold":
		s.hold = true
	case "deliver":
		s.hold = false
	case "rescue":
		s.say("%v", shard.Rescue(now, traceID(options["trace"])))
	case "explain":
		s.explain(shard.Explain(now, traceID(options["trace"])))
	case "restart":
		s.restart(now)
	case "stats":
		s.stats()
	case "log":
		s.say("%d segments, needed from %s", shard.Segments(), shard.needed())
	default:
		s.t.Fatalf("unknown command %q", command)
	}
}

func (s *scenario) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return d
}

func (s *scenario) number(text string) float64 {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

const errorsPolicy = `policies: [{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}]`

func (s *scenario) start(options map[string]string, policies string) {
	s.set = Settings{Wait: 30 * time.Second, Memory: newMemory()}
	s.log = tracelog.Settings{SegmentSize: 4 << 10}
	limit := 0
	for key, value := range options {
		switch key {
		case "wait":
			s.set.Wait = s.duration(value)
		case "after_root":
			s.set.WaitAfterRoot = s.duration(value)
		case "idle":
			s.set.Idle = s.duration(value)
		case "lateness":
			s.set.Lateness = &Lateness{Quantile: s.number(value), Min: 100 * time.Millisecond}
		case "max_traces":
			s.set.MaxTraces = int(s.number(value))
		case "max_bytes":
			s.set.MaxTraceBytes = uint64(s.number(value))
		case "history":
			s.set.History = int64(s.number(value))
		case "store":
			limit = int(s.number(value))
		case "block":
			s.set.Block = true
		case "early":
			s.set.Early = true
		case "rescue":
			s.set.Rescue = true
		case "carry":
			s.set.Sums = sums
		case "span-ingest":
			s.set.SpanIngest = true
		case "notes":
			s.set.Notes, s.log.Checksums = true, true
		default:
			s.t.Fatalf("unknown setting %q", key)
		}
	}
	if policies == "" {
		policies = errorsPolicy
	}
	s.store = newStore(limit)
	s.program = compilePolicies(s.t, policies, s.strategy())
	s.spans, s.held, s.hold, s.at = map[string]int{}, nil, false, 0
	s.open()
}

func (s *scenario) strategy() policy.Strategy {
	if s.set.SpanIngest {
		return policy.SpanIngest
	}
	return policy.TraceComplete
}

// open makes a shard on the store.
func (s *scenario) open() {
	s.log.Store = s.store
	s.set.Log, s.set.Program = tracelog.New(s.log), s.program
	s.feeder = feeder{shard: New(s.set), last: s.feeder.last, level: s.feeder.level, weigh: s.feeder.weigh}
	s.before, s.isOpen = Stats{}, map[string]bool{}
}

func (s *scenario) restart(now Now) {
	s.held, s.set.Memory = nil, newMemory()
	s.open()
	r := s.feeder.shard.Restore(now, 0, s.store.former())
	s.say("%d open, %d kept, %d spans, %d torn", r.Traces, r.Kept, r.Spans, r.Torn)
}

func (s *scenario) send(now Now, options map[string]string, lines string) {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	service := uint32(0)
	for _, c := range options["service"] {
		service = service<<8 | uint32(c)
	}
	rs.Resource().Attributes().PutStr("service.name", options["service"])
	spans := rs.ScopeSpans().AppendEmpty().Spans()
	var pauses []bool
	for line := range strings.Lines(lines) {
		words := strings.Fields(line)
		if words[0] == "--" {
			pauses[len(pauses)-1] = true
			continue
		}
		s.span(spans.AppendEmpty(), words)
		pauses = append(pauses, false)
	}
	n := -1
	taken, err := s.feeder.feed(now, rs, service, func() bool { n++; return pauses[n] })
	if err != nil {
		s.say("%d taken, then: %v", taken, err)
	}
}

// teach sends traces that wait the whole time, and lets that time pass.
func (s *scenario) teach(options map[string]string) {
	root, late := map[string]string{"service": options["service"]}, s.duration(options["after"])
	var first, last strings.Builder
	for n, taught := 0, 0; taught < int(s.number(options["n"])); n++ {
		name := fmt.Sprintf("%s%d", options["service"], n)
		if _, sent := s.spans[name]; !sent && teaches(Hash(traceID(name))) {
			fmt.Fprintf(&first, "%s root\n", name)
			fmt.Fprintf(&last, "%s\n", name)
			taught++
		}
	}
	s.send(moment(s.at), root, first.String())
	s.send(moment(s.at+late), root, last.String())
	s.at += s.set.Wait
	for s.feeder.shard.Advance(moment(s.at), 100) {
	}
	s.isOpen = map[string]bool{}
}

// span makes a span of a line.
func (s *scenario) span(span ptrace.Span, words []string) {
	name := words[0]
	s.spans[name]++
	span.SetName(fmt.Sprintf("%s%d", name, s.spans[name]))
	span.SetTraceID(traceID(name))
	span.SetParentSpanID(pcommon.SpanID{1})
	for _, w := range words[1:] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "root":
			span.SetParentSpanID(pcommon.SpanID{})
		case "error":
			span.Status().SetCode(ptrace.StatusCodeError)
		case "ts":
			span.TraceState().FromRaw(value)
		case "pad":
			var text strings.Builder
			for text.Len() < int(s.number(value)) {
				fmt.Fprintf(&text, "%s-%d-%d.", name, s.spans[name], text.Len())
			}
			span.Attributes().PutStr("pad", text.String()[:int(s.number(value))])
		default:
			span.Attributes().PutStr(key, value)
		}
	}
}

// report says what has become of traces since the last report, and delivers the kept ones.
func (s *scenario) report() {
	shard := s.feeder.shard
	taken := shard.Take()
	kept := map[string]bool{}
	for i := range taken {
		kept[s.kept(&taken[i])] = true
	}
	s.held = append(s.held, taken...)
	for _, name := range slices.Sorted(maps.Keys(s.spans)) {
		id := traceID(name)
		was, is := s.isOpen[name], shard.find(Hash(id), id) != none
		if was && !is && !kept[name] {
			s.say("drop %s", name)
		}
		s.isOpen[name] = is
	}
	st := shard.Stats()
	for reason, n := range st.SpansDropped {
		if n -= s.before.SpansDropped[reason]; n > 0 {
			s.say("spans dropped: %d %s", n, DropReason(reason))
		}
	}
	s.before = *st
	checkShard(s.t, shard, s.held)
	if !s.hold {
		shard.Done(moment(s.at), s.held)
		s.held = nil
		checkShard(s.t, shard, nil)
	}
}

// kept says what of a trace leaves, and returns its name.
func (s *scenario) kept(d *Decision) string {
	by := ""
	if d.Policy >= 0 {
		by = " by " + d.Program.Names()[d.Policy]
	}
	names := spansOf(s.t, s.feeder.shard.View(), d)
	th := ""
	if d.HasTh {
		th = fmt.Sprintf(", th:%s", probability.Threshold(d.Threshold))
	}
	s.say("keep %s%s (%s, after %s%s): %s", pretty(d.ID), by, d.Reason, d.Waited, th, strings.Join(names, " "))
	if len(names) != int(d.Spans) && d.Reason != ReasonRescue {
		s.t.Errorf("trace %s: the decision speaks of %d spans, the log of %v", pretty(d.ID), d.Spans, names)
	}
	return pretty(d.ID)
}

func pretty(id [16]byte) string { return strings.TrimRight(string(id[:]), "\x00") }

func (s *scenario) explain(x Explanation) {
	s.say("%s", x.State)
	if x.State == StateOpen {
		s.say("age %s, due in %s, %d spans, root %v", x.Age, x.Deadline, x.Spans, x.Root)
	}
	if x.Policy != "" {
		s.say("by %s", x.Policy)
	}
	if x.SinceOK {
		s.say("since %s", x.Since)
	}
}

// tear damages all records of a segment.
func tear(mem []byte) {
	const header = 64 // stays, or it would be no segment
	for i := range mem[header:] {
		mem[header+i] = 0xff
	}
}

func (s *scenario) stats() {
	st := s.feeder.shard.Stats()
	for _, n := range []struct {
		name  string
		count int64
	}{
		{"spans in", int64(st.SpansIn)}, {"spans recovered", int64(st.SpansRecovered)}, {"spans kept", int64(st.SpansKept)},
		{"spans held", st.SpansHeld}, {"spans late and kept", int64(st.SpansLateKept)},
		{"spans late and dropped", int64(st.SpansLateDropped)}, {"spans rescued", int64(st.SpansRescued)},
		{"new traces", int64(st.NewTraces)}, {"traces open", st.TracesOpen}, {"traces too large", int64(st.TracesTooLarge)},
		{"traces rescued", int64(st.TracesRescued)}, {"traces recovered", int64(st.TracesRecovered)},
		{"notes lost", int64(st.NotesLost)},
	} {
		if n.count != 0 {
			s.say("%s: %d", n.name, n.count)
		}
	}
	for o, n := range st.Decided {
		if n.Traces > 0 {
			s.say("%s: %d traces of %d spans", policy.Outcome(o), n.Traces, n.Spans)
		}
	}
	for r, n := range st.DecidedFor {
		if n > 0 {
			s.say("decided for %s: %d", Reason(r), n)
		}
	}
}
