package rules

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/tailgate-otel/tailgate/dashboards/query"
)

// objective is a promise to users: of all requests within the period, at least the share Target is good. What may be
// bad, 1 - Target, is the budget. Alerts ask how fast it is spent, over a long and a short window at once: the long one
// says that it matters, the short one that it has not ended ("The Site Reliability Workbook", chapter 5, "Multiwindow,
// Multi-Burn-Rate Alerts").
type objective struct {
	Slug   string // value of the label slo
	Alert  string
	What   string // what a bad request is, in the alert's words
	Target float64
	Period time.Duration
	Total  formula // requests per second over the window short, by job
	Bad    formula // bad ones among them, with the same labels, 0 where there are none
	// Floor is how many requests there must be in the long window, at the mean rate within it. Below, a few bad ones are a
	// share that says nothing.
	Floor float64
	Look  Look
}

// burn is one pair of windows. Share of the budget spent within Long makes the factor: share x period / long.
type burn struct {
	severity    Severity
	share       float64
	long, short time.Duration // for a period of 30 days; scaled for others
}

// burns are the workbook's: with 30 days the factors are 14.4, 6, 3 and 1. At 14.4 the budget is gone in two days.
var burns = []burn{
	{Critical, 0.02, time.Hour, 5 * time.Minute},
	{Critical, 0.05, 6 * time.Hour, 30 * time.Minute},
	{Warning, 0.1, 24 * time.Hour, 2 * time.Hour},
	{Warning, 0.1, 72 * time.Hour, 6 * time.Hour},
}

const (
	month = 30 * 24 * time.Hour
	// retention is the embedded store's default: windows that reach beyond it would read as if all had been well before.
	retention = 15 * 24 * time.Hour
)

// scaled is the pair for another period. Windows stay whole minutes, and none is shorter than the base.
func (b burn) scaled(period time.Duration) burn {
	scale := func(d time.Duration) time.Duration {
		return max(time.Duration(float64(d)*float64(period)/float64(month)).Round(time.Minute), short)
	}
	b.long, b.short = scale(b.long), scale(b.short)
	return b
}

func (b burn) factor(period time.Duration) float64 {
	return b.share * float64(period) / float64(b.long)
}

// validate reports windows that the store cannot hold and alerts that could never fire.
func (o objective) validate() error {
	var errs []error
	for _, b := range burns {
		b = b.scaled(o.Period)
		if b.long > retention {
			errs = append(errs, fmt.Errorf("objective %s: period %s needs a window of %s, and the store keeps %s: take a shorter period",
				o.Slug, span(o.Period), span(b.long), span(retention)))
		}
		if limit := b.factor(o.Period) * (1 - o.Target); limit >= 1 {
			errs = append(errs, fmt.Errorf("objective %s: target %g: an alert would need a share of %s bad requests within %s, more than all: take a higher target",
				o.Slug, o.Target, number(limit), span(b.long)))
		}
	}
	return errors.Join(errs...)
}

// indicator is what is recorded of an objective.
type indicator struct {
	total, bad Record
	ratios     map[time.Duration]Record // by window
	order      []time.Duration
}

// indicator records both rates over the base window, and from these the share of bad requests over each other window:
// the sum of the bad by the sum of all, so that a quiet hour weighs less than a busy one.
func (o objective) indicator() indicator {
	labels := map[string]string{"slo": o.Slug}
	i := indicator{total: Record{Name: "slo:requests:rate5m", Labels: labels, Expr: o.Total}, ratios: map[time.Duration]Record{}}
	i.bad = Record{Name: "slo:requests_bad:rate5m", Labels: labels, Expr: o.Bad}
	for _, b := range burns {
		b = b.scaled(o.Period)
		for _, w := range []time.Duration{b.short, b.long} {
			if _, ok := i.ratios[w]; ok {
				continue
			}
			bad, total := i.bad.value(), i.total.value()
			if w != short {
				bad, total = i.bad.sumOver(w), i.total.sumOver(w)
			}
			i.ratios[w] = Record{Name: "slo:requests_bad:ratio_rate" + span(w), Labels: labels, Expr: bad.over(total.above(0).formula)}
			i.order = append(i.order, w)
		}
	}
	return i
}

func (i indicator) records() []Record {
	out := []Record{i.total, i.bad}
	for _, w := range i.order {
		out = append(out, i.ratios[w])
	}
	return out
}

// alerts are one for each severity, of one name: the pairs of windows of a severity are alternatives.
func (o objective) alerts(i indicator) []Alert {
	var out []Alert
	for _, severity := range []Severity{Critical, Warning} {
		when, pairs := condition{}, 0
		for _, b := range burns {
			if b.severity != severity {
				continue
			}
			if pairs++; pairs == 1 {
				when = o.burning(i, b.scaled(o.Period))
			} else {
				when = when.or(o.burning(i, b.scaled(o.Period)))
			}
		}
		out = append(out, o.alert(severity, when))
	}
	return out
}

func (o objective) burning(i indicator, b burn) condition {
	limit := b.factor(o.Period) * (1 - o.Target)
	return i.ratios[b.long].value().above(limit).
		and(i.ratios[b.short].value().above(limit)).
		and(i.total.meanOver(b.long).above(math.Max(o.Floor/b.long.Seconds(), 1e-6)))
}

// alert waits an hour with a warning, whose windows are days: in a store that is younger than they are, the first failures
// after its start weigh as if they had gone on for all of the window.
func (o objective) alert(severity Severity, when condition) Alert {
	wait, pace := 2*time.Minute, "It is spent within days; somebody should look now."
	if severity == Warning {
		wait, pace = time.Hour, "It will not last for the period; somebody should look today."
	}
	return Alert{
		Name: o.Alert, Severity: severity, When: when, For: wait, Labels: map[string]string{"slo": o.Slug},
		Summary: fmt.Sprintf(`{{ $value | humanizePercentage }} of the requests to {{ $labels.job }} %s`, o.What),
		Description: fmt.Sprintf(`The objective of %s %% within %s leaves a budget of %s %%. {{ $value | humanizePercentage }} of the requests to `+
			`{{ $labels.job }} %s. %s`, number(100*o.Target), span(o.Period), number(100*(1-o.Target)), o.What, pace),
		Look: o.Look,
	}
}

// fastSeconds is the duration within which a request counts as fast: that of the gateway's dashboard.
const fastSeconds = 0.3

// objectives are those of the gateway. 99 % and 95 % are what a shop gets by with, and what the demo, which fails on
// purpose, just keeps.
func (s sheet) objectives() ([]Group, error) {
	requests := Record{Name: "job:gateway_requests:rate5m", Expr: per(short, s.requests().Count().SumBy(query.LabelJob)).of(s.aGateway())}
	total := requests.value()
	failed := per(short, s.requests(isServerError).Count().SumBy(query.LabelJob))
	// Without requests the share of slow ones is no number; Numbers drops it, and the 0 takes its place.
	slow := per(short, s.requests().Fraction(fastSeconds, math.Inf(1), query.LabelJob).Numbers())
	const floor = 100 // requests: fewer cannot tell a share of one in a hundred
	look := Look{UID: gatewayDashboard, Set: map[string]string{"job": "job"}}
	group := Group{Name: "tailgate-objectives-gateway", Interval: often, Records: []Record{requests}}
	var errs []error
	for _, o := range []objective{
		{Slug: "gateway-availability", Alert: "TailgateGatewayAvailabilityBudgetBurning", What: "are answered with 5xx",
			Target: 0.99, Period: month, Floor: floor, Look: look, Total: total, Bad: within(failed.orZeroOf(total), total)},
		{Slug: "gateway-latency", Alert: "TailgateGatewayLatencyBudgetBurning", What: "take longer than 300 ms",
			Target: 0.95, Period: month, Floor: floor, Look: look, Total: total, Bad: slow.times(total).orZeroOf(total)},
	} {
		errs = append(errs, o.validate())
		i := o.indicator()
		group.Records = append(group.Records, i.records()...)
		group.Alerts = append(group.Alerts, o.alerts(i)...)
	}
	return []Group{group}, errors.Join(errs...)
}
