package query

import (
	"fmt"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// Value reads a gauge or an up-down counter as it is.
func (s Scope) Value(m telemetry.Metric, where ...Where) Expr {
	if m.Kind != telemetry.Gauge && m.Kind != telemetry.UpDownCounter {
		return failed(fmt.Errorf("metric %s is a %s: only a gauge or an up-down counter has a value of its own", m.Name, m.Kind))
	}
	return s.instant(m, where, "", "")
}

// Rate is how fast a counter grows, per second.
func (s Scope) Rate(m telemetry.Metric, where ...Where) Expr {
	return s.growth("rate", m, Window, where)
}

// Increase is by how much a counter grew within the window of a point.
func (s Scope) Increase(m telemetry.Metric, where ...Where) Expr {
	return s.growth("increase", m, Window, where)
}

// IncreaseInRange is by how much a counter grew within the time range that the dashboard shows.
func (s Scope) IncreaseInRange(m telemetry.Metric, where ...Where) Expr {
	return s.growth("increase", m, "$__range", where)
}

func (s Scope) growth(function string, m telemetry.Metric, window string, where []Where) Expr {
	if m.Kind != telemetry.Counter {
		return failed(fmt.Errorf("metric %s is a %s: %s is for counters", m.Name, m.Kind, function))
	}
	return s.instant(m, where, function, "["+window+"]")
}

// Total is what a counter counted since its program started. Alone it says nothing and jumps back at a restart; the
// difference of two totals of one program is the amount that is between them.
func (s Scope) Total(m telemetry.Metric, where ...Where) Expr {
	if m.Kind != telemetry.Counter {
		return failed(fmt.Errorf("metric %s is a %s: only counters have a total", m.Name, m.Kind))
	}
	return s.instant(m, where, "", "")
}

// instant writes a selector, with a suffix (a window), inside a function when there is one.
func (s Scope) instant(m telemetry.Metric, where []Where, function, suffix string) Expr {
	selector, err := s.selector(m, s.naming.Metric(m), where)
	if err != nil {
		return failed(err)
	}
	text := selector + suffix
	if function != "" {
		text = function + "(" + text + ")"
	}
	return Expr{text: text, bind: bindAtom, labels: s.labels(m), naming: s.naming.Label}
}
