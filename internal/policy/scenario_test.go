package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/internal/testkit/script"
)

// TestScenarios runs testdata/scenarios: policies, then traces, each span a line, and what is decided about them.
func TestScenarios(t *testing.T) {
	script.Run(t, "testdata/scenarios/*.txt", func(t *testing.T) func(script.Step) string {
		s := &scenario{t: t, traces: map[string]*held{}}
		return s.run
	})
}

type scenario struct {
	t       *testing.T
	program *Program
	traces  map[string]*held
}

func (s *scenario) run(st script.Step) string {
	words := strings.Fields(st.Command)
	options := map[string]string{}
	var args []string
	for _, w := range words[1:] {
		if key, value, ok := strings.Cut(w, "="); ok {
			options[key] = value
		} else {
			args = append(args, w)
		}
	}
	switch words[0] {
	case "compile":
		return s.compile(args, options, st.Input)
	case "trace":
		return s.trace(args[0], at(s.t, options), st.Input)
	case "batch":
		return s.batch(at(s.t, options), st.Input)
	case "ingest":
		return s.ingest(args[0], at(s.t, options), st.Input)
	case "stats":
		return s.stats()
	case "keys":
		return s.keys()
	}
	s.t.Fatalf("line %d: unknown command %q", st.Line, words[0])
	return ""
}

// at is the time of a command: options["at"] after some instant.
func at(t *testing.T, options map[string]string) time.Time {
	d, err := time.ParseDuration(options["at"])
	if options["at"] != "" && err != nil {
		t.Fatal(err)
	}
	return time.Unix(1_700_000_000, 0).Add(d)
}

func (s *scenario) compile(flags []string, options map[string]string, text string) string {
	set, err := settingsFrom(text)
	if err != nil {
		return err.Error()
	}
	set.Strategy = Strategy(options["strategy"])
	for _, f := range flags {
		switch f {
		case "first_match":
			set.FirstMatch = true
		case "use_tracestate":
			set.UseTraceState = true
		case "record_policy":
			set.RecordPolicy = true
		}
	}
	p, err := Compile(set)
	if err != nil {
		return err.Error()
	}
	s.program = p
	clear(s.traces)
	return fmt.Sprintf("ok, %d words of bits", p.Words())
}

// settingsFrom reads policies as the collector does.
func settingsFrom(text string) (Settings, error) {
	var raw map[string]any
	if err := yaml.Unmarshal([]byte(text), &raw); err != nil {
		return Settings{}, err
	}
	var cfg struct {
		Rules    []RuleConfig `mapstructure:"rules"`
		Policies []Config     `mapstructure:"policies"`
	}
	if err := confmap.NewFromStringMap(raw).Unmarshal(&cfg); err != nil {
		return Settings{}, err
	}
	return Settings{Rules: cfg.Rules, Policies: cfg.Policies}, nil
}

// A spanLine describes a fragment of one span.
type spanLine struct {
	Times      int // how many such spans
	Resource   map[string]any
	Attributes map[string]any
	Events     []string
	Name       string
	Start, End string
	Status     string
	Flags      uint32
	TraceState string `yaml:"tracestate"`
	Child      bool
}

func (s *scenario) fragment(id pcommon.TraceID, line string) ptrace.Traces {
	var l spanLine
	if err := yaml.Unmarshal([]byte(line), &l); err != nil {
		s.t.Fatalf("%s: %v", line, err)
	}
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	s.put(rs.Resource().Attributes(), l.Resource)
	spans := rs.ScopeSpans().AppendEmpty().Spans()
	for range max(1, l.Times) {
		span := spans.AppendEmpty()
		span.SetTraceID(id)
		span.SetName(l.Name)
		if l.Child {
			span.SetParentSpanID(pcommon.SpanID{1})
		}
		span.SetStartTimestamp(s.stamp(l.Start))
		span.SetEndTimestamp(s.stamp(l.End))
		span.Status().SetCode(ptrace.StatusCode(statusCodes[strings.ToUpper(l.Status)]))
		span.SetFlags(l.Flags)
		span.TraceState().FromRaw(l.TraceState)
		s.put(span.Attributes(), l.Attributes)
		for _, name := range l.Events {
			span.Events().AppendEmpty().SetName(name)
		}
	}
	return td
}

func (s *scenario) put(m pcommon.Map, attributes map[string]any) {
	for key, v := range attributes {
		if err := m.PutEmpty(key).FromRaw(v); err != nil {
			s.t.Fatal(err)
		}
	}
}

// stamp reads a time within a trace; `unset` is the zero timestamp.
func (s *scenario) stamp(text string) pcommon.Timestamp {
	switch text {
	case "unset":
		return 0
	case "":
		text = "0s"
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	return pcommon.Timestamp(int64(1_700_000_000_000_000_000) + int64(d))
}

func traceID(name string) (id pcommon.TraceID) {
	copy(id[:], name)
	copy(id[8:], name)
	return id
}

// grow adds the spans to the trace and reports from which on its outcome was certain.
func (s *scenario) grow(name, lines string) (*held, string) {
	h := newHeld(s.program, traceID(name))
	s.traces[name] = h
	certain := ""
	for i, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		h.add(s.program, s.fragment(h.id, line))
		v, ok := s.program.Certain(h.trace())
		switch {
		case ok && certain == "":
			certain = fmt.Sprintf(", certain from span %d: %s", i+1, v.Outcome)
		case !ok && certain != "":
			s.t.Errorf("trace %s: certain before span %d and not after", name, i+1)
		}
	}
	return h, certain
}

func (s *scenario) trace(name string, now time.Time, lines string) string {
	h, certain := s.grow(name, lines)
	return s.say(s.program.Decide(now, h.trace())) + certain
}

// batch decides traces together: lines are `name: span`.
func (s *scenario) batch(now time.Time, lines string) string {
	var names []string
	var batch []Trace
	for line := range strings.Lines(strings.TrimSpace(lines)) {
		name, span, _ := strings.Cut(line, ": ")
		h, _ := s.grow(name, span)
		names = append(names, name)
		batch = append(batch, *h.trace())
	}
	verdicts := make([]Verdict, len(batch))
	s.program.DecideBatch(now, batch, verdicts)
	var out strings.Builder
	for i, v := range verdicts {
		fmt.Fprintf(&out, "%s: %s\n", names[i], s.say(v))
	}
	return out.String()
}

// ingest shows one batch of the trace's spans to the program.
func (s *scenario) ingest(name string, now time.Time, lines string) string {
	soFar := s.traces[name]
	if soFar == nil {
		soFar = newHeld(s.program, traceID(name))
		s.traces[name] = soFar
	}
	batch := newHeld(s.program, soFar.id)
	for line := range strings.Lines(strings.TrimSpace(lines)) {
		td := s.fragment(soFar.id, line)
		soFar.add(s.program, td)
		batch.add(s.program, td)
	}
	batch.facts.Spans, batch.facts.Bytes = soFar.facts.Spans, soFar.facts.Bytes
	v, final := s.program.DecideIngest(now, batch.trace())
	if final {
		return s.say(v) + ", final"
	}
	return s.say(v) + ", pending"
}

func (s *scenario) say(v Verdict) string {
	out := v.Outcome.String()
	if v.Policy >= 0 {
		out += " by " + s.program.Names()[v.Policy]
	}
	if v.SubPolicy >= 0 {
		out += "/" + s.program.SubNames()[v.SubPolicy]
	}
	if v.HasThreshold {
		out += fmt.Sprintf(" th=%014x", v.Threshold)
	}
	return out
}

func (s *scenario) stats() string {
	var out strings.Builder
	for p := range s.program.Stats {
		fmt.Fprintf(&out, "%s:", p.Name)
		for o, c := range p.Counts {
			if c.Traces > 0 {
				fmt.Fprintf(&out, " %s=%d/%d", Outcome(o), c.Traces, c.Spans)
			}
		}
		if p.Passed > 0 {
			fmt.Fprintf(&out, " passed=%d", p.Passed)
		}
		if p.Errors > 0 {
			fmt.Fprintf(&out, " errors=%d (%v)", p.Errors, p.LastError)
		}
		fmt.Fprintf(&out, " asked=%d\n", p.Executions)
	}
	return out.String()
}

// keys lists what the samplers of rules have seen.
func (s *scenario) keys() string {
	var lines []string
	for rule, sampler := range s.program.Samplers {
		for _, k := range sampler.Top(100) {
			lines = append(lines, fmt.Sprintf("%s: %s", rule, k.Key))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}
