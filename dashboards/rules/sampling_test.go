package rules_test

import (
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/upstream"
)

// A sample stands for 30 s: 40 of them are 20 minutes.
func TestSamplingAlerts(t *testing.T) {
	limit := of(telemetry.SamplingBufferLimit, "1000x40")
	fill := func(log, index string) []string {
		return []string{limit, of(telemetry.SamplingBufferSize, log, "part", "log"), of(telemetry.SamplingBufferSize, index, "part", "index")}
	}
	decisions := func(wait, memory string) []string {
		return []string{of(telemetry.SamplingDecisions, wait, "reason", "wait"), of(telemetry.SamplingDecisions, memory, "reason", "memory")}
	}
	retries := of(telemetry.SamplingDeliveryRetries, "0+3x40")
	kept := func(values string) string { return of(telemetry.SamplingSpansKept, values) }
	run(t, "sampling", []scenario{
		{name: "TailgateSamplingBufferFull: 96 % for 10 minutes", series: fill("900x40", "60x40"), at: 10 * time.Minute,
			fires: []string{`TailgateSamplingBufferFull{instance="a"}`}},
		{name: "TailgateSamplingBufferFull: 96 % for less", series: fill("900x40", "60x40"), at: 9 * time.Minute},
		{name: "TailgateSamplingBufferFull: 95 % is the edge", series: fill("900x40", "50x40"), at: 20 * time.Minute},
		{name: "TailgateSamplingBufferFull: a peak in between starts the wait anew", series: fill("900x10 500 900x29", "60x40"), at: 14 * time.Minute},

		{name: "TailgateSamplingDecidedEarly: one in ten", series: decisions("0+900x60", "0+100x60"), at: 16 * time.Minute,
			fires: []string{`TailgateSamplingDecidedEarly{instance="a"}`}},
		{name: "TailgateSamplingDecidedEarly: one in a hundred", series: decisions("0+990x60", "0+10x60"), at: 30 * time.Minute},
		{name: "TailgateSamplingDecidedEarly: a trace that was complete lost nothing",
			series: []string{of(telemetry.SamplingDecisions, "0+900x60", "reason", "wait"), of(telemetry.SamplingDecisions, "0+100x60", "reason", "memory_complete")},
			at:     30 * time.Minute},

		{name: "TailgateSamplingRefusing: for lack of memory", series: []string{of(telemetry.SamplingSpansRefused, "0+30x40", "reason", "memory")},
			at: 10 * time.Minute, fires: []string{`TailgateSamplingRefusing{instance="a", reason="memory"}`}},
		{name: "TailgateSamplingRefusing: it was a moment", series: []string{of(telemetry.SamplingSpansRefused, "0 30 60 60x40", "reason", "memory")}, at: 12 * time.Minute},

		{name: "TailgateSamplingDeliveryFailing: spans are given up", series: []string{of(telemetry.SamplingSpansFailed, "0+5x40")},
			at: 10 * time.Minute, fires: []string{`TailgateSamplingDeliveryFailing{instance="a"}`}},
		{name: "TailgateSamplingDeliveryFailing: long ago", series: []string{of(telemetry.SamplingSpansFailed, "500x40")}, at: 20 * time.Minute},

		{name: "TailgateSamplingDeliveryStalled: nothing leaves", series: []string{retries, kept("7000x40")}, at: 8 * time.Minute,
			fires: []string{`TailgateSamplingDeliveryStalled{instance="a"}`}},
		{name: "TailgateSamplingDeliveryStalled: nothing has ever left", series: []string{retries}, at: 8 * time.Minute,
			fires: []string{`TailgateSamplingDeliveryStalled{instance="a"}`}},
		{name: "TailgateSamplingDeliveryStalled: slow but alive", series: []string{retries, kept("7000+20x40")}, at: 20 * time.Minute},
		{name: "TailgateSamplingDeliveryStalled: no traffic", series: []string{of(telemetry.SamplingDeliveryRetries, "9x40"), kept("7000x40")}, at: 20 * time.Minute},

		{name: "TailgateSamplingStorageDamaged: at this start", at: 3 * time.Minute,
			series: []string{of(telemetry.SamplingDamagedSegments, "2x40"), of(upstream.ProcessUptime, "5+30x40")},
			fires:  []string{`TailgateSamplingStorageDamaged{instance="a"}`}},
		{name: "TailgateSamplingStorageDamaged: seen for an hour", at: 3 * time.Minute,
			series: []string{of(telemetry.SamplingDamagedSegments, "2x40"), of(upstream.ProcessUptime, "3600+30x40")}},
		{name: "TailgateSamplingStorageDamaged: none", at: 3 * time.Minute,
			series: []string{of(telemetry.SamplingDamagedSegments, "0x40"), of(upstream.ProcessUptime, "5+30x40")}},

		{name: "TailgateSamplingSpansUnreadable: records are no records", at: 5 * time.Minute,
			series: []string{of(telemetry.SamplingSpansDropped, "0+4x40", "reason", "unreadable")},
			fires:  []string{`TailgateSamplingSpansUnreadable{instance="a"}`}},
		{name: "TailgateSamplingSpansUnreadable: it goes on for ten minutes", at: 16 * time.Minute,
			series: []string{of(telemetry.SamplingSpansDropped, "0+4x6 24x40", "reason", "unreadable")},
			fires:  []string{`TailgateSamplingSpansUnreadable{instance="a"}`}},
		{name: "TailgateSamplingSpansUnreadable: dropped on purpose", at: 10 * time.Minute,
			series: []string{of(telemetry.SamplingSpansDropped, "0+400x40", "reason", "not_sampled")}},

		{name: "TailgateSamplingPolicyErrors: each trace", series: []string{of(telemetry.SamplingPolicyErrors, "0+9x40")}, at: 10 * time.Minute,
			fires: []string{`TailgateSamplingPolicyErrors{instance="a"}`}},
		{name: "TailgateSamplingPolicyErrors: none", series: []string{of(telemetry.SamplingPolicyErrors, "0x40")}, at: 20 * time.Minute},

		{name: "TailgateSamplingPoliciesRefused: a bad file", at: 8 * time.Minute,
			series: []string{of(telemetry.SamplingPolicyReloads, "0x10 1x30", "outcome", "failure")},
			fires:  []string{`TailgateSamplingPoliciesRefused{instance="a"}`}},
		{name: "TailgateSamplingPoliciesRefused: a good file", at: 8 * time.Minute,
			series: []string{of(telemetry.SamplingPolicyReloads, "0x10 1x30", "outcome", "success")}},
	})
}
