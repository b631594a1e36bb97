package rules

import (
	"strings"
	"testing"
	"time"
)

func TestObjectivesThatCannotBeKept(t *testing.T) {
	for _, tc := range []struct {
		name   string
		target float64
		period time.Duration
		want   string // in the error; none when empty
	}{
		{"a month", 0.99, month, ""},
		{"a week", 0.999, 7 * 24 * time.Hour, ""},
		{"a low target over a month", 0.94, month, ""},
		{"no alert for it could fire", 0.9, month, "take a higher target"},
		{"beyond what is kept", 0.99, 365 * 24 * time.Hour, "take a shorter period"},
	} {
		err := objective{Slug: "x", Target: tc.target, Period: tc.period}.validate()
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

// Whatever the period, a pair spends the same share of its budget before it fires.
func TestWindowsScaleWithThePeriod(t *testing.T) {
	for _, tc := range []struct {
		period  time.Duration
		windows string
		factors string
	}{
		{month, "1h/5m 6h/30m 1d/2h 3d/6h", "14.4 6 3 1"},
		{7 * 24 * time.Hour, "14m/5m 1h24m/7m 5h36m/28m 16h48m/1h24m", "14.4 6 3 1"},
	} {
		var windows, factors []string
		for _, b := range burns {
			b = b.scaled(tc.period)
			windows = append(windows, span(b.long)+"/"+span(b.short))
			factors = append(factors, number(b.factor(tc.period)))
		}
		if got := strings.Join(windows, " "); got != tc.windows {
			t.Errorf("%s: windows %s, want %s", span(tc.period), got, tc.windows)
		}
		if got := strings.Join(factors, " "); got != tc.factors {
			t.Errorf("%s: factors %s, want %s", span(tc.period), got, tc.factors)
		}
	}
}

func TestFormulas(t *testing.T) {
	a, b := formula{text: "a"}, formula{text: "b + c"}
	for _, tc := range []struct {
		got  formula
		want string
	}{
		{a.minus(b), "a - (b + c)"},
		{b.minus(a), "b + c - a"},
		{b.times(a), "(b + c) * a"},
		{a.over(b).above(0.5).formula, "a / (b + c) > 0.5"},
		{a.orZeroOf(b).over(a), "(a or 0 * (b + c)) / a"},
		{a.above(1).and(b.below(2)).formula, "a > 1 and b + c < 2"},
		{a.above(1).or(b.below(2)).and(a.above(3)).formula, "(a > 1 or b + c < 2) and a > 3"},
		{a.of(formula{text: "up"}), "a and on (job) up"},
		{within(a.orZeroOf(b), a), "(a or 0 * (b + c)) and a"},
		{a.over(b.before(90 * time.Minute)).above(14.4 * 0.01).formula, "a / (b offset 1h30m + c offset 1h30m) > 0.144"},
		{Record{Name: "x:y:z", Labels: map[string]string{"slo": "s"}}.sumOver(90 * time.Minute), `sum_over_time(x:y:z{slo="s"}[1h30m])`},
	} {
		if tc.got.err != nil || tc.got.text != tc.want {
			t.Errorf("got %s, %v; want %s", tc.got.text, tc.got.err, tc.want)
		}
		if _, err := parse(tc.got.text); err != nil {
			t.Error(err)
		}
	}
}
