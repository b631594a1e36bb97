package rules

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/tailgate-otel/tailgate/dashboards/query"
)

// formula is PromQL that yields numbers, with its windows filled in. An error sticks to it and to all that contain it.
type formula struct {
	text string
	err  error
}

// condition is a formula that yields series only where something is the case. Only comparisons make one.
type condition struct{ formula }

// now takes an expression that has no window.
func now(e query.Expr) formula {
	text, err := e.Text()
	if err == nil && strings.Contains(text, query.Window) {
		err = fmt.Errorf("%s: it has a rate, so say over which window: per(window, …)", text)
	}
	return formula{text, err}
}

// per takes an expression of rates, each over the window. In a panel the window follows the zoom; a rule has none.
func per(window time.Duration, e query.Expr) formula {
	text, err := e.Text()
	if err == nil && !strings.Contains(text, query.Window) {
		err = fmt.Errorf("%s: it has no rate to take over %s; use now(…)", text, window)
	}
	return formula{strings.ReplaceAll(text, query.Window, span(window)), err}
}

// before is the formula as it was some time ago.
func (f formula) before(ago time.Duration) formula {
	if f.err != nil {
		return f
	}
	expr, err := parse(f.text)
	if err != nil {
		return formula{err: err}
	}
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			v.OriginalOffset += ago
		}
		return nil
	})
	f.text = expr.String()
	return f
}

func (f formula) minus(g formula) formula { return join(f, parser.SUB, g) }
func (f formula) times(g formula) formula { return join(f, parser.MUL, g) }
func (f formula) over(g formula) formula  { return join(f, parser.DIV, g) }

// orZeroOf yields 0 for each series of g that f lacks.
func (f formula) orZeroOf(g formula) formula {
	return join(f, parser.LOR, formula{text: "0", err: g.err}.times(g))
}

// within keeps the series of f that g has too.
func within(f, g formula) formula { return join(f, parser.LAND, g) }

// of keeps the series of programs that have the metric, whatever its value.
func (f formula) of(program formula) formula {
	g := join(f, parser.LAND, program)
	g.text = strings.TrimSuffix(g.text, program.text) + "on (" + query.LabelJob + ") " + program.text
	return g
}

// above holds for series greater than the limit.
func (f formula) above(limit float64) condition { return f.compare(parser.GTR, limit) }

// below holds for series less than the limit.
func (f formula) below(limit float64) condition { return f.compare(parser.LSS, limit) }

func (f formula) compare(op parser.ItemType, limit float64) condition {
	return condition{join(f, op, formula{text: number(limit)})}
}

// and holds where both do, for series with the same labels.
func (c condition) and(d condition) condition {
	return condition{join(c.formula, parser.LAND, d.formula)}
}

// or holds where one of them does.
func (c condition) or(d condition) condition {
	return condition{join(c.formula, parser.LOR, d.formula)}
}

// value reads what the rule has recorded.
func (r Record) value() formula { return formula{text: r.selector(), err: r.Expr.err} }

// sumOver adds up what was recorded within the window; meanOver is its mean.
func (r Record) sumOver(window time.Duration) formula  { return r.overTime("sum_over_time", window) }
func (r Record) meanOver(window time.Duration) formula { return r.overTime("avg_over_time", window) }

func (r Record) overTime(function string, window time.Duration) formula {
	return formula{text: fmt.Sprintf("%s(%s[%s])", function, r.selector(), span(window)), err: r.Expr.err}
}

func (r Record) selector() string {
	if len(r.Labels) == 0 {
		return r.Name
	}
	var matchers []string
	for _, l := range slices.Sorted(maps.Keys(r.Labels)) {
		matchers = append(matchers, l+"="+strconv.Quote(r.Labels[l]))
	}
	return r.Name + "{" + strings.Join(matchers, ", ") + "}"
}

// join writes a binary operation, with brackets where an operand binds more loosely.
func join(left formula, op parser.ItemType, right formula) formula {
	if err := errors.Join(left.err, right.err); err != nil {
		return formula{err: err}
	}
	l, err := operand(left.text, strength[op])
	if err != nil {
		return formula{err: err}
	}
	r, err := operand(right.text, strength[op]+1)
	if err != nil {
		return formula{err: err}
	}
	return formula{text: l + " " + op.String() + " " + r}
}

// strength is how firmly the operators bind, all of them associating to the left.
var strength = map[parser.ItemType]int{
	parser.LOR: 1, parser.LAND: 2, parser.LUNLESS: 2,
	parser.EQLC: 3, parser.NEQ: 3, parser.LSS: 3, parser.LTE: 3, parser.GTR: 3, parser.GTE: 3,
	parser.ADD: 4, parser.SUB: 4, parser.MUL: 5, parser.DIV: 5,
}

func operand(text string, outer int) (string, error) {
	expr, err := parse(text)
	if err != nil {
		return "", err
	}
	if b, ok := expr.(*parser.BinaryExpr); ok && strength[b.Op] < outer {
		return "(" + text + ")", nil
	}
	return text, nil
}

func parse(text string) (parser.Expr, error) {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", text, err)
	}
	return expr, nil
}

// lines writes the formula over as many lines as it needs.
func (f formula) lines() (string, error) {
	if f.err != nil {
		return "", f.err
	}
	expr, err := parse(f.text)
	if err != nil {
		return "", err
	}
	return strings.TrimLeft(parser.Prettify(expr), " "), nil
}

// span writes a duration as PromQL does: 1h30m, 3d.
func span(d time.Duration) string { return model.Duration(d).String() }

// number writes a limit with the digits a person would: a product like 14.4 x 0.01 does not come out as 0.144 in binary.
func number(f float64) string {
	const digits = 1e9
	return strconv.FormatFloat(math.Round(f*digits)/digits, 'f', -1, 64)
}
