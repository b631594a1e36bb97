package query_test

import (
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/tailgate-otel/tailgate/dashboards/query"
	"github.com/tailgate-otel/tailgate/telemetry"
)

var (
	color = telemetry.Attribute{Key: "paint.color", Brief: "b", Values: []string{"red", "green"}}
	code  = telemetry.Attribute{Key: "code", Brief: "b", Min: 100, Max: 599}

	gauge   = telemetry.Metric{Name: "a.level", Kind: telemetry.Gauge, Unit: "By", Attributes: []telemetry.Attribute{color}}
	counter = telemetry.Metric{Name: "a.count", Kind: telemetry.Counter, Unit: "{x}", Attributes: []telemetry.Attribute{color, code}}
	native  = telemetry.Metric{Name: "a.time", Kind: telemetry.NativeHistogram, Unit: "s", Attributes: []telemetry.Attribute{color}}
	classic = telemetry.Metric{Name: "a.old", Kind: telemetry.Histogram, Unit: "ms", Attributes: []telemetry.Attribute{color}}
)

const scoped = `job=~"$job", instance=~"$instance"`

func TestExpressions(t *testing.T) {
	s := query.NewScope(telemetry.DefaultNaming)
	byColor := query.NewAttributeScope(telemetry.DefaultNaming, "paint.color", "color")
	for name, c := range map[string]struct {
		expr query.Expr
		want string
	}{
		"value":         {s.Value(gauge), `a_level_bytes{` + scoped + `}`},
		"where":         {s.Value(gauge, query.Is("paint.color", "red")), `a_level_bytes{` + scoped + `, paint_color="red"}`},
		"where not":     {s.Value(gauge, query.IsNot("paint.color", "red")), `a_level_bytes{` + scoped + `, paint_color!="red"}`},
		"one of":        {s.Value(gauge, query.OneOf("paint.color", "red", "green")), `a_level_bytes{` + scoped + `, paint_color=~"red|green"}`},
		"present":       {s.Value(gauge, query.Present("paint.color")), `a_level_bytes{` + scoped + `, paint_color!=""}`},
		"in variable":   {s.Value(gauge, query.In("paint.color", "c")), `a_level_bytes{` + scoped + `, paint_color=~"$c"}`},
		"class":         {s.Rate(counter, query.Class("code", 5)), `rate(a_count_total{` + scoped + `, code=~"5.."}[$__rate_interval])`},
		"increase":      {s.Increase(counter).Sum(), `sum(increase(a_count_total{` + scoped + `}[$__rate_interval]))`},
		"in range":      {s.IncreaseInRange(counter), `increase(a_count_total{` + scoped + `}[$__range])`},
		"total":         {s.Total(counter), `a_count_total{` + scoped + `}`},
		"age":           {byColor.Value(gauge).Plus(byColor.Value(gauge)).Age(), `time() - (a_level_bytes{paint_color=~"$color"} + a_level_bytes{paint_color=~"$color"})`},
		"no scope":      {query.NewWholeScope(telemetry.DefaultNaming).Rate(counter), `rate(a_count_total[$__rate_interval])`},
		"own scope":     {byColor.Value(gauge), `a_level_bytes{paint_color=~"$color"}`},
		"sum by":        {s.Value(gauge).SumBy("paint.color", "job"), `sum by (paint_color, job) (a_level_bytes{` + scoped + `})`},
		"native":        {s.Histogram(native).Quantile(0.99, "paint.color"), `histogram_quantile(0.99, sum by (paint_color) (rate(a_time_seconds{` + scoped + `}[$__rate_interval])))`},
		"classic":       {s.Histogram(classic).Quantile(0.99, "paint.color"), `histogram_quantile(0.99, sum by (le, paint_color) (rate(a_old_milliseconds_bucket{` + scoped + `}[$__rate_interval])))`},
		"native count":  {s.Histogram(native).Count().Sum(), `sum(histogram_count(rate(a_time_seconds{` + scoped + `}[$__rate_interval])))`},
		"classic count": {s.Histogram(classic).Count().Sum(), `sum(rate(a_old_milliseconds_count{` + scoped + `}[$__rate_interval]))`},
		"fraction":      {s.Histogram(native).Fraction(0, 0.3), `histogram_fraction(0, 0.3, sum(rate(a_time_seconds{` + scoped + `}[$__rate_interval])))`},
		"mean": {s.Histogram(native).Mean("paint.color"), `sum by (paint_color) (histogram_sum(rate(a_time_seconds{` + scoped + `}[$__rate_interval]))) / ` +
			`sum by (paint_color) (histogram_count(rate(a_time_seconds{` + scoped + `}[$__rate_interval])))`},
		"heatmap":          {s.Histogram(classic).Heatmap(), `sum by (le) (rate(a_old_milliseconds_bucket{` + scoped + `}[$__rate_interval]))`},
		"brackets":         {byColor.Value(gauge).Minus(byColor.Value(gauge).Plus(byColor.Value(gauge))).Times(2), `(a_level_bytes{paint_color=~"$color"} - (a_level_bytes{paint_color=~"$color"} + a_level_bytes{paint_color=~"$color"})) * 2`},
		"abs":              {byColor.Value(gauge).Minus(byColor.Value(gauge)).Abs().Over(byColor.Value(gauge)), `abs(a_level_bytes{paint_color=~"$color"} - a_level_bytes{paint_color=~"$color"}) / a_level_bytes{paint_color=~"$color"}`},
		"numbers":          {byColor.Value(gauge).Numbers().Times(2), `(a_level_bytes{paint_color=~"$color"} >= 0) * 2`},
		"zero with":        {byColor.Value(gauge).Sum().OrZeroWith(byColor.Value(gauge)), `sum(a_level_bytes{paint_color=~"$color"}) or 0 * sum(a_level_bytes{paint_color=~"$color"})`},
		"zero with labels": {byColor.Value(gauge).SumBy("paint.color").OrZeroWith(byColor.Value(gauge)), `sum by (paint_color) (a_level_bytes{paint_color=~"$color"}) or on() label_replace(0 * sum(a_level_bytes{paint_color=~"$color"}), "paint_color", "none", "", "")`},
		"zero of":          {byColor.Value(gauge).SumBy("paint.color").OrZeroOf(byColor.Value(gauge).SumBy("paint.color")).Over(byColor.Value(gauge).SumBy("paint.color")), `(sum by (paint_color) (a_level_bytes{paint_color=~"$color"}) or 0 * sum by (paint_color) (a_level_bytes{paint_color=~"$color"})) / sum by (paint_color) (a_level_bytes{paint_color=~"$color"})`},
	} {
		got, err := c.expr.Text()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
		static := strings.NewReplacer("$__rate_interval", "20s", "$__range", "1h").Replace(got)
		if _, err := parser.NewParser(parser.Options{}).ParseExpr(static); err != nil {
			t.Errorf("%s: %s does not parse: %v", name, got, err)
		}
	}
}

func TestMistakesAreErrors(t *testing.T) {
	s := query.NewScope(telemetry.DefaultNaming)
	for name, c := range map[string]struct {
		expr query.Expr
		want string
	}{
		"unknown attribute":   {s.Value(gauge, query.Is("paint.colour", "red")), "has no attribute paint.colour; it has: paint.color"},
		"value outside":       {s.Value(gauge, query.Is("paint.color", "blue")), "not one of red, green"},
		"one value outside":   {s.Value(gauge, query.OneOf("paint.color", "red", "blue")), `"blue": not one of`},
		"class outside":       {s.Rate(counter, query.Class("code", 7)), "not an integer from 100 to 599"},
		"rate of gauge":       {s.Rate(gauge), "is a gauge: rate is for counters"},
		"value of counter":    {s.Value(counter), "is a counter: only a gauge"},
		"total of gauge":      {s.Total(gauge), "only counters have a total"},
		"histogram of gauge":  {s.Histogram(gauge).Quantile(0.5), "not a histogram"},
		"count of gauge":      {s.Histogram(gauge).Count().Sum(), "not a histogram"},
		"group by absent":     {s.Value(gauge).SumBy("code"), "no label code"},
		"group by gone":       {s.Value(gauge).Sum().SumBy("paint.color"), "no label paint_color"},
		"quantile by absent":  {s.Histogram(classic).Quantile(0.5, "code"), "no label code"},
		"sides differ":        {s.Value(gauge).SumBy("paint.color").Over(s.Value(gauge).Sum()), "never match"},
		"zero of differing":   {s.Value(gauge).SumBy("paint.color").OrZeroOf(s.Value(gauge).Sum()), "labels differ"},
		"scope not borne":     {query.NewAttributeScope(telemetry.DefaultNaming, "code", "code").Value(gauge), "has no attribute code"},
		"error sticks":        {s.Rate(gauge).Sum().Times(2).Abs().Numbers().OrZeroWith(s.Value(gauge)), "rate is for counters"},
		"error of other side": {s.Value(gauge).Sum().Plus(s.Rate(gauge).Sum()), "rate is for counters"},
	} {
		if text, err := c.expr.Text(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %q and %v, want an error about %q", name, text, err, c.want)
		}
	}
}

func TestLabelValues(t *testing.T) {
	s := query.NewScope(telemetry.DefaultNaming)
	for _, c := range []struct {
		m         telemetry.Metric
		key, want string
	}{
		{gauge, "job", "label_values(a_level_bytes, job)"},
		{gauge, "instance", `label_values(a_level_bytes{job=~"$job"}, instance)`},
		{gauge, "paint.color", `label_values(a_level_bytes{` + scoped + `}, paint_color)`},
		{classic, "paint.color", `label_values(a_old_milliseconds_bucket{` + scoped + `}, paint_color)`},
	} {
		if got, err := s.LabelValues(c.m, c.key); err != nil || got != c.want {
			t.Errorf("%s of %s: got %q and %v, want %q", c.key, c.m.Name, got, err, c.want)
		}
	}
	if _, err := s.LabelValues(gauge, "code"); err == nil {
		t.Error("values of an attribute that the metric does not have")
	}
	if got := s.Legend("paint.color", "code"); got != "{{paint_color}} {{code}}" {
		t.Errorf("legend %q", got)
	}
}
