package policy

import (
	"fmt"

	"github.com/tailgate-otel/tailgate/internal/dynsample"
	"github.com/tailgate-otel/tailgate/internal/probability"
)

// RuleConfig is one entry of `rules`. Rules are asked in order, before all policies, and the first whose conditions hold
// decides. A trace that no rule wants goes to the policies; without any it is dropped.
type RuleConfig struct {
	// Name labels the rule as a policy's does; required, and unlike all other rules' and policies'.
	Name string `mapstructure:"name"`
	// When lists conditions that must all hold. Default none: every trace.
	When []Condition `mapstructure:"when"`
	// Then says what becomes of the trace.
	Then ThenConfig `mapstructure:"then"`
	// DryRun evaluates and counts the rule, and goes on to the next. Default false.
	DryRun bool `mapstructure:"dry_run"`
}

// ThenConfig is `keep` or `drop`, or a map of one of the keys below. All but these two decide by the randomness of the
// trace, so that samplers of equal rates agree, and give the kept trace their threshold as th.
type ThenConfig struct {
	Keep        bool               `mapstructure:"keep"`
	Drop        bool               `mapstructure:"drop"`
	Probability *ProbabilityConfig `mapstructure:"probability"`
	// Dynamic keeps one in so many overall, more of rare keys than of frequent ones.
	Dynamic *dynsample.EMAConfig `mapstructure:"dynamic"`
	// Throughput keeps so many per second, more of rare keys than of frequent ones.
	Throughput *dynsample.ThroughputConfig `mapstructure:"throughput"`
	// Budget shares so many per second fairly among keys.
	Budget *dynsample.BudgetConfig `mapstructure:"budget"`
	// Rare keeps kinds of traces that are seldom seen. Without fields, traces are of one kind if the same services have
	// spans of the same names and status codes in them. With pass_on the others go to the next rule.
	Rare *dynsample.RareConfig `mapstructure:"rare"`
}

// ProbabilityConfig keeps a share of all traces.
type ProbabilityConfig struct {
	// Percentage of traces to keep, from 0 to 100.
	Percentage float64 `mapstructure:"percentage"`
}

// UnmarshalText reads the short forms.
func (c *ThenConfig) UnmarshalText(text []byte) error {
	switch string(text) {
	case "keep":
		*c = ThenConfig{Keep: true}
	case "drop":
		*c = ThenConfig{Drop: true}
	default:
		return fmt.Errorf("unknown action %q; write keep, drop, or a section: probability, dynamic, throughput, budget or rare", text)
	}
	return nil
}

// An action decides about the traces of a rule.
type action interface {
	decide(ev *evaluation) answer
	// foresee returns the answer that decide will give whatever spans still come, if there is one.
	foresee(t *Trace) (answer, bool)
}

// rule votes abstain if its conditions do not hold.
type rule struct {
	when and
	then action
}

func (r *rule) eval(ev *evaluation) answer {
	a := r.when.eval(ev)
	switch a.vote {
	case yes:
		return r.then.decide(ev)
	case no:
		return answer{vote: abstain}
	}
	return a
}

// possible tells of the conditions alone: mayYes means that they may hold.
func (r *rule) possible(t *Trace) votes { return r.when.possible(t) }
func (*rule) exact() bool               { return false }

// constant is keep or drop.
type constant vote

func (c constant) decide(*evaluation) answer     { return answer{vote: vote(c)} }
func (c constant) foresee(*Trace) (answer, bool) { return answer{vote: vote(c)}, true }

// chance keeps what passes a threshold.
type chance probability.Threshold

func (c chance) decide(ev *evaluation) answer { return c.ask(&ev.trace) }

// foresee needs an explicit randomness: where the trace id stands in for it, a span to come may bring one.
func (c chance) foresee(t *Trace) (answer, bool) {
	return c.ask(t), t.Facts.Flags&FlagRandomness != 0
}

func (c chance) ask(t *Trace) answer {
	return answer{vote: yesIf(probability.Threshold(c).Keeps(t.randomness())), threshold: threshold(c)}
}

// ruleSampler is a sampler and the name of its rule.
type ruleSampler struct {
	rule    string
	sampler dynsample.Sampler
}

// Samplers yields the samplers of rules, to explain the rates that they have found.
func (p *Program) Samplers(yield func(rule string, s dynsample.Sampler) bool) {
	for _, s := range p.samplers {
		if !yield(s.rule, s.sampler) {
			return
		}
	}
}

func (c *compiler) action(cfg *RuleConfig) action {
	then := &cfg.Then
	switch {
	case then.Keep:
		return constant(yes)
	case then.Drop:
		return constant(drop)
	case then.Probability != nil:
		return chance(probability.FromProbability(then.Probability.Percentage / 100))
	}
	a := then.adaptive()
	c.program.samplers = append(c.program.samplers, ruleSampler{cfg.Name, a.sampler})
	return a
}

func (c *ThenConfig) adaptive() *adaptive {
	switch {
	case c.Dynamic != nil:
		return newAdaptive(dynsample.NewEMA(*c.Dynamic), c.Dynamic.Fields)
	case c.Throughput != nil:
		return newAdaptive(dynsample.NewThroughput(*c.Throughput), c.Throughput.Fields)
	case c.Budget != nil:
		return newAdaptive(dynsample.NewBudget(*c.Budget), c.Budget.Fields)
	}
	rare := dynsample.NewRare(*c.Rare)
	a := newAdaptive(rare, c.Rare.Fields)
	a.passOn = c.Rare.PassOn
	if len(c.Rare.Fields) == 0 {
		a.rare = rare
	}
	return a
}
