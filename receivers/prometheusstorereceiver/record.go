package prometheusstorereceiver

import (
	"strings"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/tailgate-otel/tailgate/internal/alertfeed"
	"github.com/tailgate-otel/tailgate/receivers/prometheusstorereceiver/internal/metadata"
)

// eventName is the same for all records; what has happened is in alert.state. OpenTelemetry's conventions have no event
// for alerts, so the form is that of device.app.lifecycle: one event, the new state as an attribute. Labels and
// annotations take the form of k8s.pod.label.<key>.
const eventName = "alert.state_change"

// logs makes the records of a batch. They belong to this process, whose resource the collector has.
func (r *alertReceiver) logs(batch []alertfeed.Event) plog.Logs {
	out := plog.NewLogs()
	resource := out.ResourceLogs().AppendEmpty()
	r.settings.Resource.CopyTo(resource.Resource())
	scope := resource.ScopeLogs().AppendEmpty()
	scope.Scope().SetName(metadata.ScopeName)
	scope.Scope().SetVersion(r.settings.BuildInfo.Version)
	records := scope.LogRecords()
	records.EnsureCapacity(len(batch))
	now := pcommon.NewTimestampFromTime(time.Now())
	for _, e := range batch {
		record := records.AppendEmpty()
		record.SetObservedTimestamp(now)
		fill(record, e)
	}
	return out
}

func fill(record plog.LogRecord, e alertfeed.Event) {
	record.SetEventName(eventName)
	record.SetTimestamp(pcommon.NewTimestampFromTime(e.At()))
	number, text := severity(e)
	record.SetSeverityNumber(number)
	record.SetSeverityText(text)
	record.Body().SetStr(summary(e))

	attrs := record.Attributes()
	attrs.EnsureCapacity(8 + e.Labels.Len() + e.Annotations.Len())
	attrs.PutStr("alert.name", e.Name())
	attrs.PutStr("alert.state", e.State.String())
	attrs.PutStr("alert.fingerprint", e.Fingerprint())
	attrs.PutStr("alert.expression", e.Expr)
	attrs.PutDouble("alert.value", e.Value)
	attrs.PutStr("alert.url", e.GeneratorURL)
	attrs.PutStr("alert.start_time", e.StartsAt.UTC().Format(time.RFC3339Nano))
	if e.State == alertfeed.Resolved {
		attrs.PutStr("alert.end_time", e.EndsAt.UTC().Format(time.RFC3339Nano))
	}
	if e.Lapsed {
		attrs.PutBool("alert.lapsed", true)
	}
	putAll(attrs, "alert.label.", e.Labels)
	putAll(attrs, "alert.annotation.", e.Annotations)
}

func putAll(attrs pcommon.Map, prefix string, ls labels.Labels) {
	ls.Range(func(l labels.Label) {
		if l.Name != labels.AlertName { // it is alert.name
			attrs.PutStr(prefix+l.Name, l.Value)
		}
	})
}

// summary is the line that a person reads first.
func summary(e alertfeed.Event) string {
	for _, name := range []string{"summary", "description", "message"} {
		if text := e.Annotations.Get(name); text != "" {
			return text
		}
	}
	return e.Name() + " is " + e.State.String()
}

// severity maps the customary values of the label severity as appendix B of OpenTelemetry's log data model maps those of
// syslog. An alert that has no known one is a warning; the end of an alert informs.
func severity(e alertfeed.Event) (plog.SeverityNumber, string) {
	if e.State == alertfeed.Resolved {
		return plog.SeverityNumberInfo, plog.SeverityNumberInfo.String()
	}
	text := e.Labels.Get("severity")
	switch strings.ToLower(text) {
	case "emergency", "fatal":
		return plog.SeverityNumberFatal, text
	case "page", "alert":
		return plog.SeverityNumberError3, text
	case "critical", "crit":
		return plog.SeverityNumberError2, text
	case "error", "err", "high", "major":
		return plog.SeverityNumberError, text
	case "notice":
		return plog.SeverityNumberInfo2, text
	case "info", "informational", "none", "low":
		return plog.SeverityNumberInfo, text
	case "debug":
		return plog.SeverityNumberDebug, text
	case "":
		text = plog.SeverityNumberWarn.String()
	}
	return plog.SeverityNumberWarn, text
}
