// Package telemetry is the contract: every metric, attribute, identity and interval that Tailgate promises, as plain Go
// data. Instruments (telemetry/instruments), the reference page (docs/telemetry.md), dashboards, alerts and tests are all
// derived from it, so that a name can change in one place only.
//
// The package holds data and pure functions. It starts nothing, keeps no state and imports nothing of ours; whoever
// records a value owns the instrument. Metrics of other people's components that we draw stand in telemetry/upstream in
// the same form and are compared with the sources of the pinned modules by a test.
package telemetry

import "time"

// ExportInterval is how often every program of ours exports its metrics. Dashboards take their minimum step from it and
// the generated data source its timeInterval; Grafana's $__rate_interval is four times this value. Not larger, because a
// first rate needs two exports and a person waits for it; not smaller, because each series costs a sample per interval
// for good.
const ExportInterval = 5 * time.Second

// Service names, the value of service.name and therefore of the Prometheus label "job".
const (
	ServiceCollector = "tailgate"
	ServiceGateway   = "gateway"
)
