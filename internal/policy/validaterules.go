package policy

import (
	"fmt"
	"strings"
)

func (v *validator) rule(path string, c *RuleConfig) {
	v.name(path, c.Name)
	if v.strategy == SpanIngest {
		v.add(path, "sampling_strategy %s judges each batch alone, and rules need the whole trace; use %s", SpanIngest, TraceComplete)
	}
	for i := range c.When {
		v.condition(fmt.Sprintf("%s.when[%d]", path, i), &c.When[i], nestedTypes)
	}
	v.then(path+".then", &c.Then)
}

func (v *validator) then(path string, c *ThenConfig) {
	var given []string
	for _, action := range []struct {
		key   string
		given bool
		check func() error // nil: nothing to check
	}{
		{"keep", c.Keep, nil},
		{"drop", c.Drop, nil},
		{"probability", c.Probability != nil, nil},
		{"dynamic", c.Dynamic != nil, func() error { return c.Dynamic.Check() }},
		{"throughput", c.Throughput != nil, func() error { return c.Throughput.Check() }},
		{"budget", c.Budget != nil, func() error { return c.Budget.Check() }},
		{"rare", c.Rare != nil, func() error { return c.Rare.Check() }},
	} {
		if !action.given {
			continue
		}
		given = append(given, action.key)
		if action.check != nil {
			v.under(path+"."+action.key, action.check())
		}
	}
	if c.Probability != nil {
		v.percentage(path+".probability.percentage", c.Probability.Percentage)
	}
	switch len(given) {
	case 0:
		v.add(path, "is missing; write keep, drop, or a section: probability, dynamic, throughput, budget or rare")
	case 1:
	default:
		v.add(path, "says %s; a rule can do only one of them", strings.Join(given, " and "))
	}
}

// under adds errors that begin with a key, in full.
func (v *validator) under(path string, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			v.under(path, e)
		}
	} else if err != nil {
		v.errs = append(v.errs, fmt.Errorf("%s.%w", path, err))
	}
}
