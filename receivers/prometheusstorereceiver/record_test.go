package prometheusstorereceiver

import (
	"testing"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/tailgate-otel/tailgate/internal/alertfeed"
)

func TestSeverity(t *testing.T) {
	for label, want := range map[string]plog.SeverityNumber{
		"emergency": plog.SeverityNumberFatal,
		"page":      plog.SeverityNumberError3,
		"critical":  plog.SeverityNumberError2,
		"Critical":  plog.SeverityNumberError2,
		"error":     plog.SeverityNumberError,
		"major":     plog.SeverityNumberError,
		"warning":   plog.SeverityNumberWarn,
		"P3":        plog.SeverityNumberWarn,
		"notice":    plog.SeverityNumberInfo2,
		"info":      plog.SeverityNumberInfo,
		"none":      plog.SeverityNumberInfo,
		"debug":     plog.SeverityNumberDebug,
	} {
		e := alertfeed.Event{Alert: alertfeed.Alert{Labels: labels.FromStrings("severity", label)}}
		number, text := severity(e)
		assert.Equal(t, want, number, label)
		assert.Equal(t, label, text)
	}
	number, text := severity(alertfeed.Event{})
	assert.Equal(t, plog.SeverityNumberWarn, number)
	assert.Equal(t, "Warn", text)
}

func TestSummary(t *testing.T) {
	for want, annotations := range map[string]labels.Labels{
		"the summary":     labels.FromStrings("summary", "the summary", "description", "the description"),
		"the description": labels.FromStrings("description", "the description", "message", "the message"),
		"the message":     labels.FromStrings("message", "the message"),
		"A is firing":     labels.FromStrings("runbook", "x", "summary", ""),
	} {
		e := alertfeed.Event{Alert: alertfeed.Alert{Labels: labels.FromStrings("alertname", "A"), Annotations: annotations}}
		assert.Equal(t, want, summary(e))
	}
}
