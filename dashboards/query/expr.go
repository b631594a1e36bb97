package query

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Binding strength of PromQL's operators, loosest first.
const (
	bindOr = iota
	bindCompare
	bindAdd
	bindMul
	bindAtom
)

// Expr is a PromQL expression that yields an instant vector of numbers.
type Expr struct {
	text   string
	bind   int
	labels []string // Prometheus labels that the series of the result may bear
	err    error
	naming func(string) string
}

// Text returns the expression, or everything that was wrong in building it.
func (e Expr) Text() (string, error) { return e.text, e.err }

func failed(err error) Expr { return Expr{err: err} }

// Sum adds everything up.
func (e Expr) Sum() Expr { return e.aggregate("sum", nil) }

// SumBy adds up all series that agree in the attributes.
func (e Expr) SumBy(keys ...string) Expr { return e.aggregate("sum", keys) }

// MaxBy takes the largest of all series that agree in the attributes.
func (e Expr) MaxBy(keys ...string) Expr { return e.aggregate("max", keys) }

// MinBy takes the smallest of all series that agree in the attributes.
func (e Expr) MinBy(keys ...string) Expr { return e.aggregate("min", keys) }

func (e Expr) aggregate(op string, keys []string) Expr {
	if e.err != nil {
		return e
	}
	labels, err := e.keep(keys)
	if err != nil {
		return failed(err)
	}
	e.text, e.bind, e.labels = op+by(labels)+"("+e.text+")", bindAtom, labels
	return e
}

// keep translates attribute keys to labels and reports those that the result does not bear.
func (e Expr) keep(keys []string) ([]string, error) {
	labels := make([]string, 0, len(keys))
	for _, k := range keys {
		l := k
		if k != LabelJob && k != LabelInstance && k != labelLE {
			l = e.naming(k)
		}
		if !slices.Contains(e.labels, l) {
			return nil, fmt.Errorf("%s: no label %s (attribute %s) to group by; there are: %s", e.text, l, k, strings.Join(e.labels, ", "))
		}
		labels = append(labels, l)
	}
	return labels, nil
}

func by(labels []string) string {
	if len(labels) == 0 {
		return ""
	}
	return " by (" + strings.Join(labels, ", ") + ") "
}

// Plus adds other, series by series.
func (e Expr) Plus(other Expr) Expr { return e.binary("+", bindAdd, other) }

// Minus subtracts other, series by series.
func (e Expr) Minus(other Expr) Expr { return e.binary("-", bindAdd, other) }

// Over divides by other, series by series.
func (e Expr) Over(other Expr) Expr { return e.binary("/", bindMul, other) }

// Times multiplies by a number.
func (e Expr) Times(f float64) Expr {
	if e.err != nil {
		return e
	}
	e.text, e.bind = e.inside(bindMul)+" * "+number(f), bindMul
	return e
}

// Age is the time since the Unix time that the expression yields.
func (e Expr) Age() Expr {
	if e.err != nil {
		return e
	}
	e.text, e.bind = "time() - "+e.inside(bindAdd+1), bindAdd
	return e
}

// Abs takes the sign away.
func (e Expr) Abs() Expr {
	if e.err != nil {
		return e
	}
	e.text, e.bind = "abs("+e.text+")", bindAtom
	return e
}

// Numbers drops values that are none: NaN, which a quantile or ratio over nothing yields, compares as false. Values below
// zero are dropped too, so it is for quantities.
func (e Expr) Numbers() Expr {
	if e.err != nil {
		return e
	}
	e.text, e.bind = e.inside(bindCompare+1)+" >= 0", bindCompare
	return e
}

func (e Expr) binary(op string, bind int, other Expr) Expr {
	if err := errors.Join(e.err, other.err); err != nil {
		return failed(err)
	}
	if !sameLabels(e.labels, other.labels) {
		return failed(fmt.Errorf("%s %s %s: the sides never match, as their labels differ: (%s) and (%s)", e.text, op, other.text,
			strings.Join(e.labels, ", "), strings.Join(other.labels, ", ")))
	}
	e.text, e.bind = e.inside(bind)+" "+op+" "+other.inside(bind+1), bind
	return e
}

// OrZeroWith yields 0 instead of nothing, but only while the metric of exists shows that the program is there: a counter
// that was never touched has no series, and a panel must tell that from a program that is gone. The labels of e that
// are left become "none", so that legends have a word.
func (e Expr) OrZeroWith(exists Expr) Expr {
	if err := errors.Join(e.err, exists.err); err != nil {
		return failed(err)
	}
	zero := "0 * sum(" + exists.text + ")"
	for _, l := range e.labels {
		zero = fmt.Sprintf(`label_replace(%s, %q, "none", "", "")`, zero, l)
	}
	if len(e.labels) == 0 {
		e.text = e.inside(bindOr) + " or " + zero
	} else {
		e.text = e.inside(bindOr) + " or on() " + zero
	}
	e.bind = bindOr
	return e
}

// OrZeroOf yields 0 for each series of other that e lacks: an error counter without errors next to the counter of all.
func (e Expr) OrZeroOf(other Expr) Expr {
	if err := errors.Join(e.err, other.err); err != nil {
		return failed(err)
	}
	if !sameLabels(e.labels, other.labels) {
		return failed(fmt.Errorf("%s or 0 * %s: labels differ: (%s) and (%s)", e.text, other.text,
			strings.Join(e.labels, ", "), strings.Join(other.labels, ", ")))
	}
	e.text, e.bind = e.inside(bindOr)+" or 0 * "+other.inside(bindMul+1), bindOr
	return e
}

// inside returns the text for use as an operand of an operator that binds as strongly as outer.
func (e Expr) inside(outer int) string {
	if e.bind < outer {
		return "(" + e.text + ")"
	}
	return e.text
}

func sameLabels(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
