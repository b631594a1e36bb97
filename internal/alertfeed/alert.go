package alertfeed

import (
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
)

// Alert is one alert of one rule, as a rule manager reports it.
type Alert struct {
	// Labels identify the alert; alertname is among them.
	Labels      labels.Labels
	Annotations labels.Labels

	// Value is what the rule's expression gave when it was evaluated last, and Expr the expression.
	Value float64
	Expr  string

	// ActiveAt is when the expression first held, StartsAt when it had held for as long as the rule demands.
	ActiveAt, StartsAt time.Time
	// EndsAt is when the alert was resolved, zero while it fires.
	EndsAt time.Time
	// ValidUntil is when a firing alert that nobody has reported again counts as ended.
	ValidUntil time.Time

	// GeneratorURL opens the rule's expression in a browser.
	GeneratorURL string
}

// Name is the name of the rule.
func (a Alert) Name() string { return a.Labels.Get(labels.AlertName) }

// Fingerprint is the hash of the labels that Alertmanager shows and puts into webhooks.
func (a Alert) Fingerprint() string {
	set := make(model.LabelSet, a.Labels.Len())
	a.Labels.Range(func(l labels.Label) { set[model.LabelName(l.Name)] = model.LabelValue(l.Value) })
	return set.Fingerprint().String()
}

// State is what an alert has changed to.
type State int

// The states that are announced. A pending alert is not: it may never fire.
const (
	Firing State = iota
	Resolved
)

// String is the name of the state in Alertmanager's formats.
func (s State) String() string {
	if s == Firing {
		return "firing"
	}
	return "resolved"
}

// Event says that an alert has begun to fire or has ended.
type Event struct {
	Alert
	State State
	// Lapsed is set on a resolved alert of which nobody says that its condition has ended: its rule was taken out, or can
	// no longer be evaluated.
	Lapsed bool
}

// At is when the change took place.
func (e Event) At() time.Time {
	if e.State == Resolved {
		return e.EndsAt
	}
	return e.StartsAt
}
