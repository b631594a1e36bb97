package rules_test

import (
	"fmt"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	engine "github.com/prometheus/prometheus/rules"

	"github.com/tailgate-otel/tailgate/telemetry"
)

const (
	availability = "TailgateGatewayAvailabilityBudgetBurning"
	latency      = "TailgateGatewayLatencyBudgetBurning"
)

// shop is a gateway that serves 100 requests a minute: in the minutes of quiet none is bad, then the share is, for as many
// minutes as fault says, then none is again.
type shop struct {
	job          string
	share        float64
	quiet, fault int
	slow         bool // bad ones are slow, and not failures
	hourly       bool // one request in an hour instead, and it fails
	requests     int  // a minute; 100 when zero
}

func (s shop) series(minutes int) []string {
	per := s.requests
	if per == 0 {
		per = 100
	}
	bad := int(math.Round(s.share * float64(per)))
	h := func(n, bucket int) string {
		return fmt.Sprintf("{{schema:0 sum:%d count:%d offset:%d buckets:[%d]}}", n, n, bucket, n)
	}
	line := func(status string, quiet, fault, bucket int) string {
		rest := minutes - s.quiet - s.fault
		values := fmt.Sprintf("%s+%sx%d %s+%sx%d", h(quiet+1, bucket), h(quiet, bucket), s.quiet-1,
			h(quiet*s.quiet+1, bucket), h(fault, bucket), s.fault-1)
		if rest > 0 {
			values += fmt.Sprintf(" %s+%sx%d", h(quiet*s.quiet+fault*s.fault+1, bucket), h(quiet, bucket), rest-1)
		}
		return of(telemetry.HTTPServerRequestDuration, values, "job", s.job, "http_route", "/", "http_response_status_code", status)
	}
	if s.hourly {
		var values []string
		for n := 1; n <= minutes/60; n++ {
			values = append(values, h(n, in125ms)+"x59")
		}
		return []string{of(telemetry.GatewayRoutes, fmt.Sprintf("4x%d", minutes), "job", s.job),
			of(telemetry.HTTPServerRequestDuration, strings.Join(values, " "), "job", s.job, "http_route", "/", "http_response_status_code", "503")}
	}
	out := []string{of(telemetry.GatewayRoutes, fmt.Sprintf("4x%d", minutes), "job", s.job), line("200", per, per-bad, in125ms)}
	if s.slow {
		return append(out, line("201", 0, bad, in1s))
	}
	return append(out, line("503", 0, bad, in125ms))
}

// heard is from and to which minute alerts fired, by "job name severity".
type heard map[string]struct{ from, to int }

func listen(t *testing.T, minutes int, shops ...shop) heard {
	t.Helper()
	var all []string
	for _, s := range shops {
		all = append(all, s.series(minutes)...)
	}
	out := heard{}
	play(t, []string{emitted(t)["objectives"]}, all, time.Minute, 2*time.Minute, time.Duration(minutes-1)*time.Minute, func(at time.Duration, alerts []*engine.Alert) {
		checkText(t, alerts)
		for _, a := range alerts {
			if a.State != engine.StateFiring {
				continue
			}
			key := a.Labels.Get("job") + " " + a.Labels.Get("alertname") + " " + a.Labels.Get("severity")
			minute := int(at / time.Minute)
			h, ok := out[key]
			if !ok {
				h.from = minute
			}
			h.to = minute
			out[key] = h
		}
	})
	return out
}

// predict does the arithmetic of the workbook by hand: after how many minutes of a fault a severity must fire, when
// there were quiet minutes before it; 0 for not within the limit.
func predict(budget, share float64, quiet, limit int, pairs [][3]float64, wait int) int {
	ratio := func(t int, window float64) float64 {
		return share * math.Min(float64(t), window) / math.Min(window, float64(quiet+t))
	}
	for t := 1; t <= limit-wait; t++ {
		for _, p := range pairs { // factor, long, short
			if ratio(t, p[1]) > p[0]*budget && ratio(t, p[2]) > p[0]*budget {
				return t + wait
			}
		}
	}
	return 0
}

// TestDetectionTimes holds when somebody is told about faults of different sizes, against the arithmetic. The five
// minutes of the base rate may delay it, by half their length and an evaluation of two minutes.
func TestDetectionTimes(t *testing.T) {
	const quiet, fault = 6 * 60, 5 * 60
	page := [][3]float64{{14.4, 60, 5}, {6, 360, 30}}
	ticket := [][3]float64{{3, 1440, 120}, {1, 4320, 360}}
	shares := []float64{1, 0.5, 0.2, 0.1, 0.03, 0.005}
	var shops []shop
	for _, share := range shares {
		shops = append(shops, shop{job: fmt.Sprint(share), share: share, quiet: quiet, fault: fault, requests: 1000})
	}
	got := listen(t, quiet+fault, shops...)
	for _, share := range shares {
		for severity, want := range map[string]int{
			"critical": predict(0.01, share, quiet, fault, page, 2),
			"warning":  predict(0.01, share, quiet, fault, ticket, 60),
		} {
			h, fired := got[fmt.Sprint(share)+" "+availability+" "+severity]
			after := h.from - quiet
			t.Logf("%5.1f %% bad: %s fired %v, minute %d, arithmetic says %d", 100*share, severity, fired, max(after, 0), want)
			if fired != (want > 0) || fired && (after < want-1 || float64(after) > float64(want)*1.1+5) {
				t.Errorf("%g bad: %s fired %v after %d minutes, want %d", share, severity, fired, after, want)
			}
		}
	}
}

// TestAlertEndsWithTheFault: the short window is what ends a page, long before the fault has left the long one.
func TestAlertEndsWithTheFault(t *testing.T) {
	const quiet, fault = 6 * 60, 20
	got := listen(t, quiet+fault+40, shop{job: "over", share: 1, quiet: quiet, fault: fault})["over "+availability+" critical"]
	if end := quiet + fault; got.from < quiet || got.from > end || got.to < end-2 || got.to > end+8 {
		t.Errorf("fires from minute %d to %d, want it to end soon after minute %d", got.from, got.to, end)
	}
}

// TestObjectiveScenarios tells when an objective speaks and when it must not.
func TestObjectiveScenarios(t *testing.T) {
	const quiet = 120
	got := listen(t, 5*60,
		shop{job: "failing", share: 1, quiet: quiet, fault: 180},
		shop{job: "slow", share: 1, quiet: quiet, fault: 180, slow: true},
		shop{job: "a few slow", share: 0.03, quiet: quiet, fault: 180, slow: true},
		shop{job: "one request an hour", share: 1, quiet: quiet, fault: 180, hourly: true},
	)
	want := heard{}
	for _, severity := range []string{"critical", "warning"} {
		want["failing "+availability+" "+severity] = got["failing "+availability+" "+severity]
		want["slow "+latency+" "+severity] = got["slow "+latency+" "+severity]
	}
	if !maps.Equal(got, want) {
		t.Errorf("alerts %v, want only these %v", got, want)
	}
}
