package rules

import "time"

// File is the groups of one subject. They are emitted as one rule file and as one PrometheusRule.
type File struct {
	Name   string // without an ending: sampling
	Groups []Group
}

// Group is rules that are evaluated together, at one moment: first what is recorded, in this order, then the alerts.
type Group struct {
	Name     string
	Interval time.Duration
	Records  []Record
	Alerts   []Alert
}

// Record stores the result of an expression as a series of its own.
type Record struct {
	// Name is level:subject:operation: the labels that are left, what is measured, and how, with the window.
	Name   string
	Labels map[string]string // added to every series
	Expr   formula
}

// Alert tells somebody to do something.
type Alert struct {
	Name     string // also the name of its page in docs/runbooks
	Severity Severity
	When     condition
	For      time.Duration // how long the condition must hold
	// KeepFiring is how long the alert goes on after the condition has ended, for conditions that come and go.
	KeepFiring time.Duration
	Labels     map[string]string // beside severity
	// Summary is one line for a person's phone; Description says what is happening and where to look first. Both are
	// templates over $labels and $value.
	Summary, Description string
	Look                 Look
}

// Severity says how soon somebody should come.
type Severity string

// The severities. Critical: now, data is being lost or users see it. Warning: today. Info: worth knowing.
const (
	Critical Severity = "critical"
	Warning  Severity = "warning"
	Info     Severity = "info"
)

// Look is the dashboard that shows what an alert is about.
type Look struct {
	UID string
	// Set maps variables of the dashboard to labels of the alert.
	Set map[string]string
}

// The dashboards that alerts lead to. dashboards/check compares the uids and variables with the files in dashboards/dist.
const (
	gatewayDashboard  = "tailgate-gateway"
	pipelineDashboard = "tailgate-pipeline"
	samplingDashboard = "tailgate-sampling"
)

// ofProgram leads to a dashboard, narrowed to the program that the alert names.
func ofProgram(uid string) Look {
	return Look{UID: uid, Set: map[string]string{"job": "job", "instance": "instance"}}
}
