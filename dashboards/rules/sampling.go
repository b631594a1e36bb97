package rules

import (
	"time"

	"github.com/tailgate-otel/tailgate/dashboards/query"
	"github.com/tailgate-otel/tailgate/telemetry"
	"github.com/tailgate-otel/tailgate/telemetry/upstream"
)

func (s sheet) sampling() []Group {
	return []Group{
		{Name: "tailgate-sampling-buffer", Interval: often, Alerts: []Alert{s.bufferFull(), s.decidedEarly(), s.samplerRefuses()}},
		{Name: "tailgate-sampling-delivery", Interval: often, Alerts: []Alert{s.deliveryFails(), s.deliveryStalls()}},
		{Name: "tailgate-sampling-storage", Interval: often, Alerts: []Alert{s.storageDamaged(), s.spansUnreadable()}},
		{Name: "tailgate-sampling-policies", Interval: often, Alerts: []Alert{s.policyErrors(), s.policiesRefused()}},
	}
}

// The buffer holds history as long as there is room, but no more than half of it, so a fill of 0.95 is open traces.
func (s sheet) bufferFull() Alert {
	fill := s.value(telemetry.SamplingBufferSize).Over(s.value(telemetry.SamplingBufferLimit))
	return Alert{
		Name: "TailgateSamplingBufferFull", Severity: Warning, For: 10 * time.Minute,
		When:    now(fill).above(0.95),
		Summary: `Tail sampling on {{ $labels.instance }} has {{ $value | humanizePercentage }} of its buffer in use`,
		Description: `The buffer of tail sampling on {{ $labels.instance }} has been nearly full for ten minutes. New traces wait a ` +
			`quarter of decision_wait, and when it is full the oldest are decided on what is there.`,
		Look: ofProgram(samplingDashboard),
	}
}

func (s sheet) decidedEarly() Alert {
	reason := telemetry.AttrSamplingReason.Key
	early := s.rate(telemetry.SamplingDecisions, []query.Where{query.OneOf(reason, "memory", "num_traces", "overload")})
	all := s.rate(telemetry.SamplingDecisions, everything)
	return Alert{
		Name: "TailgateSamplingDecidedEarly", Severity: Warning, For: 10 * time.Minute,
		When:    per(short, early.Over(all)).above(0.05),
		Summary: `Tail sampling on {{ $labels.instance }} decides {{ $value | humanizePercentage }} of its traces before their time`,
		Description: `For lack of room (max_buffer or num_traces) {{ $value | humanizePercentage }} of the traces on {{ $labels.instance }} ` +
			`are decided on the spans that have come so far. What comes later follows the decision, so errors and slow ends are missed.`,
		Look: ofProgram(samplingDashboard),
	}
}

func (s sheet) samplerRefuses() Alert {
	return Alert{
		Name: "TailgateSamplingRefusing", Severity: Critical, For: 5 * time.Minute,
		When:    per(short, s.rate(telemetry.SamplingSpansRefused, everything, telemetry.AttrSamplingRefuseReason.Key)).above(0),
		Summary: `Tail sampling on {{ $labels.instance }} refuses {{ $value | humanize }} spans a second`,
		Description: `Tail sampling on {{ $labels.instance }} has no room ({{ $labels.reason }}) and sends spans back with a retryable error. ` +
			`Senders try again for a while; then the spans are gone.`,
		Look: ofProgram(samplingDashboard),
	}
}

func (s sheet) deliveryFails() Alert {
	return Alert{
		Name: "TailgateSamplingDeliveryFailing", Severity: Critical, For: 5 * time.Minute,
		When:    per(short, s.rate(telemetry.SamplingSpansFailed, everything)).above(0),
		Summary: `Tail sampling on {{ $labels.instance }} loses {{ $value | humanize }} spans of kept traces a second`,
		Description: `What comes after tail sampling on {{ $labels.instance }} refuses kept traces for good, or did not take them in time. ` +
			`Those traces are lost.`,
		Look: ofProgram(samplingDashboard),
	}
}

// Retries alone come and go with any destination; spans that have left in the meantime show that it is not down.
func (s sheet) deliveryStalls() Alert {
	kept := s.rate(telemetry.SamplingSpansKept, everything)
	retries := s.rate(telemetry.SamplingDeliveryRetries, everything)
	return Alert{
		Name: "TailgateSamplingDeliveryStalled", Severity: Critical, For: 5 * time.Minute,
		When:    per(short, retries).above(0).and(per(short, kept.OrZeroOf(retries)).below(0.001)),
		Summary: `No kept trace leaves tail sampling on {{ $labels.instance }}`,
		Description: `Tail sampling on {{ $labels.instance }} offers its kept traces again and again ({{ $value | humanize }} times a second) ` +
			`and nobody has taken a span for five minutes. They wait in the buffer; when it is full, senders are refused.`,
		Look: ofProgram(samplingDashboard),
	}
}

// Damage is found at start and counted once, so the total is asked for and not a rate, and only in the first hour.
func (s sheet) storageDamaged() Alert {
	found := s.scope.Total(telemetry.SamplingDamagedSegments).SumBy(ofEach()...)
	age := s.scope.Total(upstream.ProcessUptime).SumBy(ofEach()...)
	return Alert{
		Name: "TailgateSamplingStorageDamaged", Severity: Warning, For: time.Minute,
		When:    now(found).above(0).and(now(age).below(time.Hour.Seconds())),
		Summary: `Tail sampling on {{ $labels.instance }} found {{ $value }} damaged segments at its start`,
		Description: `{{ $value }} segments in the storage directory of tail sampling on {{ $labels.instance }} end in bytes that are no ` +
			`records. What stands before the damage was recovered, what stands behind it is lost. A crash of the machine does ` +
			`that, and so does a failing disk.`,
		Look: ofProgram(samplingDashboard),
	}
}

func (s sheet) spansUnreadable() Alert {
	unreadable := query.Is(telemetry.AttrSamplingDropReason.Key, "unreadable")
	return Alert{
		Name: "TailgateSamplingSpansUnreadable", Severity: Critical, For: time.Minute, KeepFiring: 10 * time.Minute,
		When:    per(short, s.rate(telemetry.SamplingSpansDropped, []query.Where{unreadable})).above(0),
		Summary: `Tail sampling on {{ $labels.instance }} cannot read back spans that it holds`,
		Description: `{{ $value | humanize }} spans a second are dropped on {{ $labels.instance }} because their records cannot be read. ` +
			`The disk or the memory of the machine is at fault, or tail sampling is.`,
		Look: ofProgram(samplingDashboard),
	}
}

func (s sheet) policyErrors() Alert {
	return Alert{
		Name: "TailgateSamplingPolicyErrors", Severity: Warning, For: 5 * time.Minute,
		When:    per(short, s.rate(telemetry.SamplingPolicyErrors, everything)).above(0),
		Summary: `Policies of tail sampling on {{ $labels.instance }} fail {{ $value | humanize }} times a second`,
		Description: `A policy cannot be evaluated, most often an OTTL condition on an attribute of another type. Its traces count as ` +
			`not kept by it, so what it should keep is dropped.`,
		Look: ofProgram(samplingDashboard),
	}
}

func (s sheet) policiesRefused() Alert {
	outcome := telemetry.AttrSamplingReloadOutcome.Key
	refused := s.scope.Increase(telemetry.SamplingPolicyReloads, query.Is(outcome, "failure")).SumBy(ofEach()...)
	return Alert{
		Name: "TailgateSamplingPoliciesRefused", Severity: Warning, For: time.Minute,
		When:    per(15*time.Minute, refused).above(0),
		Summary: `Tail sampling on {{ $labels.instance }} has refused a change of its policies`,
		Description: `The policies file of tail sampling on {{ $labels.instance }} was changed and is not valid; the policies from before ` +
			`the change stay in force.`,
		Look: ofProgram(samplingDashboard),
	}
}
