package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// analysis follows labels and kinds through one query. It reports what can never work and goes on.
type analysis struct {
	contract *contract
	recorded map[string]shape // series that recording rules write, by name; nil for dashboards
	report   report
}

// parse parses a query with its variables and returns the shape of the result.
func (a *analysis) parse(query string) (shape, error) {
	static := builtins(15*time.Second, 15*time.Second, time.Hour)
	text := substitute(query, func(name string) string {
		if v, ok := static[name]; ok {
			return v
		}
		return variableMark
	})
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		return shape{open: true}, err
	}
	return a.expr(expr), nil
}

func (a *analysis) expr(e parser.Expr) shape {
	switch e := e.(type) {
	case *parser.NumberLiteral, *parser.StringLiteral:
		return shape{scalar: true}
	case *parser.ParenExpr:
		return a.expr(e.Expr)
	case *parser.StepInvariantExpr:
		return a.expr(e.Expr)
	case *parser.UnaryExpr:
		return a.expr(e.Expr).without(labelName)
	case *parser.SubqueryExpr:
		return a.expr(e.Expr)
	case *parser.VectorSelector:
		return a.selector(e)
	case *parser.MatrixSelector:
		return a.expr(e.VectorSelector)
	case *parser.Call:
		return a.call(e)
	case *parser.AggregateExpr:
		return a.aggregate(e)
	case *parser.BinaryExpr:
		return a.binary(e)
	}
	return shape{open: true}
}

func (a *analysis) selector(v *parser.VectorSelector) shape {
	name := v.Name
	for _, m := range v.LabelMatchers {
		if m.Name == labelName && m.Type == labels.MatchEqual {
			name = m.Value
		}
	}
	if name == "" {
		a.report.add("metric-unknown", "selector %s names no metric, so nothing can be said about it", v)
		return shape{open: true}
	}
	if out, ok := a.recorded[name]; ok {
		return a.recordedSelector(v, name, out)
	}
	s, ok := a.contract.byName[name]
	if !ok {
		a.report.add("metric-unknown", "%s", a.contract.unknown(name))
		return shape{open: true}
	}
	for _, m := range v.LabelMatchers {
		if !s.bears(m.Name) {
			a.report.add("label-unknown", "%s", s.unknownLabel(m.Name))
			continue
		}
		if err := s.allows(m.Name, m.Type.String(), m.Value); err != nil {
			a.report.add("value-unknown", "metric %s: %v", s.metric.Name, err)
		}
	}
	out := shape{kind: s.kind}.with(labelJob, labelInstance, labelName)
	for l := range s.labels {
		out.labels[l] = true
	}
	switch s.kind {
	case bucketSeries:
		out.labels[labelLE], out.raw = true, name
	case counterSeries:
		out.kind, out.raw = gaugeSeries, name
	}
	return out
}

// recordedSelector reads what a recording rule has written.
func (a *analysis) recordedSelector(v *parser.VectorSelector, name string, out shape) shape {
	for _, m := range v.LabelMatchers {
		if m.Name != labelName && !out.has(m.Name) {
			a.report.add("label-unknown", "recorded series %s has no label %s; it has: %s", name, m.Name, strings.Join(out.sorted(), ", "))
		}
	}
	return out.with(labelName)
}

// Functions by what they demand of their argument.
var (
	ofCounters = []string{"rate", "irate", "increase", "resets"}
	ofGauges   = []string{"delta", "idelta", "deriv", "predict_linear", "avg_over_time", "min_over_time", "max_over_time",
		"sum_over_time", "quantile_over_time", "stddev_over_time", "stdvar_over_time", "mad_over_time", "double_exponential_smoothing"}
	// countThings yield a number of samples or a time, whatever the samples are.
	countThings  = []string{"count_over_time", "present_over_time", "absent_over_time", "changes", "timestamp", "absent"}
	ofNative     = []string{"histogram_count", "histogram_sum", "histogram_avg", "histogram_stddev", "histogram_stdvar"}
	ofHistograms = []string{"histogram_quantile", "histogram_fraction"}
)

func (a *analysis) call(c *parser.Call) shape {
	name := c.Func.Name
	in, found := shape{}, false
	for _, arg := range c.Args {
		if s := a.expr(arg); !s.scalar && !found {
			in, found = s, true
		}
	}
	if !found {
		return shape{scalar: name != "vector"}
	}
	switch {
	case slices.Contains(ofCounters, name):
		if in.raw == "" && in.kind != nativeSeries && !in.open {
			a.report.add("rate-of-gauge", "%s(): a gauge goes up and down, and each way down is taken for a restart; use the value itself, or delta or deriv", name)
		}
		in.raw = ""
	case slices.Contains(ofGauges, name):
		if in.raw != "" {
			a.report.add("counter-raw", "%s() of counter %s: it jumps back at a restart; take its rate first", name, in.raw)
		}
		in.raw = ""
	case slices.Contains(countThings, name):
		in = in.number()
	case slices.Contains(ofNative, name):
		if in.kind != nativeSeries && !in.open {
			a.report.add("histogram-kind", "%s() reads native histograms only, and finds none in %s", name, c.Args[0])
		}
		in = in.number()
	case slices.Contains(ofHistograms, name):
		in = a.distribution(name, c, in)
	case name == "label_replace" || name == "label_join":
		return a.relabel(name, c, in)
	case name == "scalar":
		return shape{scalar: true, raw: in.raw}
	}
	return in.without(labelName)
}

// distribution is a function that reads native histograms, or classic buckets with their bound.
func (a *analysis) distribution(name string, c *parser.Call, in shape) shape {
	switch {
	case in.open || in.kind == nativeSeries:
	case in.kind == bucketSeries && !in.labels[labelLE]:
		a.report.add("histogram-kind", "%s(): label le is gone, so the buckets cannot be told apart; keep it in the sum: sum by (le, …)", name)
	case in.kind != bucketSeries:
		a.report.add("histogram-kind", "%s() needs a histogram: %s is none", name, c.Args[len(c.Args)-1])
	}
	if in.raw != "" {
		a.report.add("counter-raw", "%s() of buckets %s as they are counts since the program started; take their rate first", name, in.raw)
	}
	return in.without(labelLE).number()
}

func (a *analysis) relabel(name string, c *parser.Call, in shape) shape {
	text := func(i int) string {
		if s, ok := c.Args[i].(*parser.StringLiteral); ok {
			return s.Val
		}
		return ""
	}
	sources := []string{text(3)} // label_replace(v, dst, replacement, src, regex)
	if name == "label_join" {    // label_join(v, dst, separator, src...)
		sources = nil
		for i := 3; i < len(c.Args); i++ {
			sources = append(sources, text(i))
		}
	}
	for _, src := range sources {
		if src != "" && !in.has(src) {
			a.report.add("label-unknown", "%s(): there is no label %s to read; there are: %s", name, src, strings.Join(in.sorted(), ", "))
		}
	}
	return in.with(text(1))
}

func (a *analysis) aggregate(g *parser.AggregateExpr) shape {
	if g.Param != nil {
		a.expr(g.Param)
	}
	in := a.expr(g.Expr)
	for _, l := range g.Grouping {
		if !in.has(l) {
			a.report.add("label-unknown", "%s by or without (%s): there is no such label here; there are: %s", g.Op, l, strings.Join(in.sorted(), ", "))
		}
	}
	out := in
	switch {
	case g.Op == parser.TOPK || g.Op == parser.BOTTOMK || g.Op == parser.LIMITK || g.Op == parser.LIMIT_RATIO:
		return in
	case g.Without:
		out = in.without(append(slices.Clone(g.Grouping), labelName)...)
	default:
		out.labels = map[string]bool{}
		out = out.with(g.Grouping...)
	}
	switch g.Op {
	case parser.COUNT, parser.GROUP:
		out = out.number()
	case parser.COUNT_VALUES:
		if s, ok := g.Param.(*parser.StringLiteral); ok {
			out = out.with(s.Val)
		}
		out = out.number()
	case parser.SUM, parser.AVG:
	default:
		if in.kind == nativeSeries {
			a.report.add("histogram-kind", "%s ignores native histograms; aggregate them with sum or avg", g.Op)
		}
	}
	return out
}

func (a *analysis) binary(b *parser.BinaryExpr) shape {
	left, right := a.expr(b.LHS), a.expr(b.RHS)
	if left.scalar || right.scalar {
		return scaled(b, left, right)
	}
	m := b.VectorMatching
	a.match(b, left, right)
	if b.Op == parser.LOR {
		out := left
		out.open = left.open || right.open
		if out.raw == "" {
			out.raw = right.raw
		}
		return out.with(right.sorted()...)
	}
	if b.Op == parser.LAND || b.Op == parser.LUNLESS {
		return left
	}
	out := left.without(labelName)
	switch {
	case m.Card == parser.CardOneToMany:
		out.labels = right.without(labelName).with(m.Include...).labels
	case m.Card == parser.CardManyToOne:
		out = out.with(m.Include...)
	case m.On:
		out.labels = map[string]bool{}
		out = out.with(m.MatchingLabels...)
	default:
		out = out.without(m.MatchingLabels...)
	}
	out.open = left.open || right.open
	switch {
	case b.Op == parser.SUB && left.raw != "" && right.raw != "":
		out.raw = "" // what is between two totals
	case out.raw == "":
		out.raw = right.raw
	}
	return out
}

// scaled is the shape of an operation between a vector and a number. Nothing of a total is left after a product with 0.
func scaled(b *parser.BinaryExpr, left, right shape) shape {
	out := left
	if left.scalar {
		out = right
	}
	for _, side := range []parser.Expr{b.LHS, b.RHS} {
		if n, ok := side.(*parser.NumberLiteral); ok && n.Val == 0 && b.Op == parser.MUL {
			out.raw = ""
		}
	}
	return out.without(labelName)
}

// match reports operands that can never find each other.
func (a *analysis) match(b *parser.BinaryExpr, left, right shape) {
	m := b.VectorMatching
	if m.On || len(m.MatchingLabels) > 0 {
		for _, l := range m.MatchingLabels {
			if m.On && (!left.has(l) || !right.has(l)) {
				a.report.add("label-unknown", "%s on (%s): one side does not have the label", b.Op, l)
			}
		}
		return
	}
	if sameLabels(left, right) {
		return
	}
	sides := fmt.Sprintf("(%s) and (%s)", strings.Join(left.sorted(), ", "), strings.Join(right.sorted(), ", "))
	if b.Op == parser.LOR {
		a.report.add("never-match", "or: the sides have different labels, %s, so the right one is always added; say `or on()` when any left result shall do", sides)
		return
	}
	a.report.add("never-match", "%s: the sides have different labels, %s, so they never match; say on(…) or ignoring(…)", b.Op, sides)
}
