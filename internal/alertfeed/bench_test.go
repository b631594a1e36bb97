package alertfeed_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"

	"github.com/tailgate-otel/tailgate/internal/alertfeed"
)

// many are alerts of one rule with usual labels and annotations.
func many(n int) []alertfeed.Alert {
	alerts := make([]alertfeed.Alert, n)
	for i := range alerts {
		alerts[i] = alertfeed.Alert{
			Labels: labels.FromStrings("alertname", "HighErrors", "severity", "critical", "service_name", fmt.Sprintf("shop-%d", i),
				"cluster", "north", "namespace", "production"),
			Annotations: labels.FromStrings("summary", fmt.Sprintf("more than 1%% of the requests to shop-%d fail", i),
				"description", "The share of failed requests was above 1% for five minutes.", "runbook_url", "https://wiki.example/runbooks/errors"),
			Expr:     "sum by (service_name) (rate(errors[5m])) / sum by (service_name) (rate(requests[5m])) > 0.01",
			StartsAt: start, ValidUntil: start.Add(time.Hour),
			GeneratorURL: "http://localhost:9090/graph?g0.expr=sum+by+%28service_name%29+%28rate%28errors%5B5m%5D%29%29&g0.tab=1",
		}
	}
	return alerts
}

// BenchmarkReport repeats alerts that fire already, which is what a rule manager does once a minute.
func BenchmarkReport(b *testing.B) {
	for _, n := range []int{10, 1000} {
		b.Run(fmt.Sprintf("firing=%d", n), func(b *testing.B) {
			f := alertfeed.New(n)
			alerts := many(n)
			f.Report(alerts...)
			b.ReportAllocs()
			for b.Loop() {
				f.Report(alerts...)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/alert")
		})
	}
}

// BenchmarkFingerprint is paid once per change and subscriber.
func BenchmarkFingerprint(b *testing.B) {
	a := many(1)[0]
	b.ReportAllocs()
	for b.Loop() {
		_ = a.Fingerprint()
	}
}
