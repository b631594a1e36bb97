package health_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/health"
)

// rig is a group with a clock of its own.
type rig struct {
	*health.Group
	now       time.Time
	endpoints []*health.Endpoint
	events    []string
	refreshes int
}

func newRig(n int, s health.Settings) *rig {
	r := &rig{Group: health.NewGroup("g"), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	for i := range n {
		r.endpoints = append(r.endpoints, health.NewEndpoint(string(rune('a'+i))))
	}
	s.OnChange = func(c health.Change) {
		r.events = append(r.events, strings.TrimSuffix(fmt.Sprintf("%s%s/%s", c.Endpoint, c.What, c.Cause), "/"))
	}
	s.OnShares = func() { r.refreshes++ }
	r.Configure(s, r.endpoints)
	r.Evaluate(r.now)
	return r
}

// rounds makes evaluations of 100 ms for so long; before each, results come in.
func (r *rig) rounds(d time.Duration, results func()) {
	for end := r.now.Add(d); r.now.Before(end); {
		if results != nil {
			results()
		}
		r.now = r.now.Add(health.Round)
		r.Evaluate(r.now)
	}
}

func (r *rig) score(i int) float64 { return r.Status().Endpoints[i].Score }

// shares in percent.
func (r *rig) shares() string {
	var out []string
	for _, e := range r.endpoints {
		out = append(out, fmt.Sprint((e.Share()*100+health.Full/2)/health.Full))
	}
	return strings.Join(out, " ")
}

func record(e *health.Endpoint, n int, r health.Result) {
	for range n {
		e.Record(r, time.Millisecond)
	}
}

// The arithmetic of the package documentation: so many failures, one in each round, eject an endpoint.
func TestFailuresInRow(t *testing.T) {
	for _, tc := range []struct {
		result health.Result
		want   int
	}{{health.ServerError, 9}, {health.Timeout, 5}, {health.Reset, 5}, {health.ConnectError, 3}} {
		r := newRig(2, health.Settings{})
		n := 0
		for ; r.endpoints[0].Share() > 0 && n < 100; n++ {
			r.rounds(health.Round, func() { record(r.endpoints[0], 1, tc.result) })
		}
		if n != tc.want || !slices.Equal(r.events, []string{"aejected/" + tc.result.String()}) {
			t.Errorf("%s: %d ejected, want %d; events %v", tc.result, n, tc.want, r.events)
		}
	}
}

func TestDeadEndpointUnderLoadIsOutAfterTwoRounds(t *testing.T) {
	r := newRig(3, health.Settings{})
	r.rounds(200*time.Millisecond, func() { record(r.endpoints[1], 1000, health.ConnectError) })
	if got := r.shares(); got != "100 0 100" {
		t.Errorf("shares %s", got)
	}
	if r.refreshes != 1 {
		t.Errorf("the balancers were told %d times", r.refreshes)
	}
}

func TestRatesThatEject(t *testing.T) {
	for _, tc := range []struct {
		result  health.Result
		percent int
		ejected bool
	}{
		{health.ServerError, 58, false}, {health.ServerError, 62, true},
		{health.Timeout, 41, false}, {health.Timeout, 45, true},
		{health.ConnectError, 31, false}, {health.ConnectError, 35, true},
	} {
		r := newRig(2, health.Settings{})
		r.rounds(10*time.Second, func() {
			record(r.endpoints[0], 100-tc.percent, health.Success)
			record(r.endpoints[0], tc.percent, tc.result)
		})
		if got := r.Status().Endpoints[0].Ejected; got != tc.ejected {
			t.Errorf("%d %% %s: ejected %v, score %.0f", tc.percent, tc.result, got, r.score(0))
		}
	}
}

func TestSlowEndpoints(t *testing.T) {
	ms := time.Millisecond
	for _, tc := range []struct {
		name      string
		latencies []time.Duration
		want      float64 // score of the first
	}{
		{"equal", []time.Duration{50 * ms, 50 * ms, 50 * ms}, 100},
		{"three times is tolerated", []time.Duration{148 * ms, 50 * ms, 50 * ms}, 100},
		{"six times is half as good", []time.Duration{300 * ms, 50 * ms, 50 * ms}, 50},
		{"twelve times is out", []time.Duration{600 * ms, 50 * ms, 50 * ms}, 25},
		{"fast ones differ by little", []time.Duration{9 * ms, ms, ms}, 100},
		{"one peer proves nothing", []time.Duration{600 * ms, 50 * ms}, 100},
		{"the median, not the mean, is compared", []time.Duration{50 * ms, 50 * ms, 50 * ms, 50 * ms, 9 * time.Second}, 100},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(len(tc.latencies), health.Settings{EjectBelow: -1})
			r.rounds(10*time.Second, func() {
				for i, d := range tc.latencies {
					r.endpoints[i].Record(health.Success, d)
				}
			})
			if got := r.score(0); math.Abs(got-tc.want) > 2 {
				t.Errorf("score %.1f, want %.0f", got, tc.want)
			}
			if got := r.Status().Endpoints[0].Latency; math.Abs(float64(got-tc.latencies[0])) > 0.05*float64(got) {
				t.Errorf("latency %s, want %s", got, tc.latencies[0])
			}
		})
	}
	r := newRig(3, health.Settings{})
	r.rounds(10*time.Second, func() {
		for i, e := range r.endpoints {
			if e.Share() > 0 {
				e.Record(health.Success, []time.Duration{time.Second, 50 * ms, 50 * ms}[i])
			}
		}
	})
	if len(r.events) == 0 || r.events[0] != "aejected/slow" {
		t.Errorf("events %v", r.events)
	}
}

// Ejected at about 0, without any result, an endpoint comes back after 13 s, then after twice that, at most eight times.
func TestHealingTakesLongerEachTime(t *testing.T) {
	r := newRig(2, health.Settings{SlowStart: -1})
	for _, want := range []float64{13.2, 26.4, 52.9, 105.8, 105.8} {
		r.rounds(time.Second, func() { record(r.endpoints[0], 1000, health.Reset) })
		if r.endpoints[0].Share() != 0 {
			t.Fatal("not ejected")
		}
		begun := r.now
		for r.endpoints[0].Share() == 0 {
			r.rounds(health.Round, nil)
		}
		if got := r.now.Sub(begun).Seconds(); math.Abs(got-want) > 0.2 {
			t.Errorf("back after %.1f s, want %.1f", got, want)
		}
	}
	r.rounds(101*time.Second, func() { record(r.endpoints[0], 1, health.Success) })
	r.rounds(time.Second, func() { record(r.endpoints[0], 1000, health.Reset) })
	r.rounds(13300*time.Millisecond, nil)
	if r.endpoints[0].Share() == 0 {
		t.Error("after a long good time the earlier ejections are not forgiven")
	}
}

func TestHysteresis(t *testing.T) {
	r := newRig(2, health.Settings{SlowStart: -1})
	part := func(percent int) func() {
		return func() {
			record(r.endpoints[0], percent, health.Success)
			record(r.endpoints[0], 100-percent, health.ServerError)
		}
	}
	for _, step := range []struct {
		percent int
		want    string
	}{{45, "100 100"}, {35, "0 100"}, {55, "0 100"}, {65, "100 100"}, {45, "100 100"}} {
		r.rounds(5*time.Second, part(step.percent))
		if got := r.shares(); got != step.want {
			t.Errorf("at %d %% success the shares are %s, want %s", step.percent, got, step.want)
		}
	}
}

func TestSlowStart(t *testing.T) {
	r := newRig(2, health.Settings{})
	r.rounds(time.Second, func() { record(r.endpoints[0], 100, health.Timeout) })
	for r.endpoints[0].Share() == 0 {
		r.rounds(health.Round, nil)
	}
	got := []string{r.shares()}
	for range 4 {
		r.rounds(7500*time.Millisecond, nil)
		got = append(got, r.shares())
	}
	if want := []string{"10 100", "25 100", "50 100", "75 100", "100 100"}; !slices.Equal(got, want) {
		t.Errorf("shares %q, want %q", got, want)
	}
	if want := []string{"aejected/timeout", "areturned"}; !slices.Equal(r.events, want) {
		t.Errorf("events %v", r.events)
	}
}

func TestHowManyAreEjected(t *testing.T) {
	for _, tc := range []struct {
		name     string
		settings health.Settings
		failing  []int // failures of 10 results
		want     string
		events   string
	}{
		{"the only one never", health.Settings{PanicBelow: -1}, []int{10}, "100", ""},
		{"one of two", health.Settings{PanicBelow: -1}, []int{10, 10}, "0 100", "aejected/server_error"},
		{"half, the worst", health.Settings{PanicBelow: -1}, []int{7, 10, 9, 10}, "100 0 100 0", "bejected/server_error dejected/server_error"},
		{"one at least", health.Settings{PanicBelow: -1, MaxEjected: 0.1}, []int{10, 10, 0}, "0 100 100", "aejected/server_error"},
		{"all if they may", health.Settings{PanicBelow: -1, MaxEjected: 1}, []int{10, 10}, "0 0", "aejected/server_error bejected/server_error"},
		{"panic", health.Settings{}, []int{10, 10, 10, 0}, "100 100 100 100", "aejected/server_error bejected/server_error panic_began"},
		{"no panic with enough", health.Settings{}, []int{10, 10, 0, 0}, "0 0 100 100", "aejected/server_error bejected/server_error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := newRig(len(tc.failing), tc.settings)
			r.rounds(4*time.Second, func() {
				for i, n := range tc.failing {
					record(r.endpoints[i], n, health.ServerError)
					record(r.endpoints[i], 10-n, health.Success)
				}
			})
			if got := r.shares(); got != tc.want {
				t.Errorf("shares %s, want %s", got, tc.want)
			}
			slices.Sort(r.events)
			if got := strings.Join(r.events, " "); got != tc.events {
				t.Errorf("events %s, want %s", got, tc.events)
			}
		})
	}
}

func TestPanicEnds(t *testing.T) {
	r := newRig(4, health.Settings{SlowStart: -1})
	all := func(result health.Result) func() {
		return func() {
			for _, e := range r.endpoints {
				record(e, 100, result)
			}
		}
	}
	r.rounds(time.Second, all(health.ServerError))
	if s := r.Status(); !s.Panic || r.shares() != "100 100 100 100" {
		t.Fatalf("panic %v, shares %s", s.Panic, r.shares())
	}
	r.rounds(time.Second, all(health.Success))
	if s := r.Status(); s.Panic || r.shares() != "100 100 100 100" {
		t.Errorf("panic %v, shares %s", s.Panic, r.shares())
	}
	if last := r.events[len(r.events)-1]; last != "panic_ended" {
		t.Errorf("events %v", r.events)
	}
}

func TestConfigureKeepsScoresAndStartsNewcomersSlowly(t *testing.T) {
	r := newRig(2, health.Settings{})
	r.rounds(time.Second, func() { record(r.endpoints[0], 100, health.ConnectError) })
	fresh := health.NewEndpoint("c")
	r.endpoints = append(r.endpoints, fresh)
	r.Configure(health.Settings{}, r.endpoints)
	r.rounds(100*time.Millisecond, nil)
	if got := r.shares(); got != "0 100 10" {
		t.Errorf("shares %s", got)
	}
	r.rounds(15*time.Second, nil)
	if got := r.endpoints[2].Share(); got < health.Full/2-10 || got > health.Full/2+10 {
		t.Errorf("halfway through the slow start the share is %d", got)
	}
}

func TestValidate(t *testing.T) {
	if err := (health.Settings{}).Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	for want, s := range map[string]health.Settings{
		"eject_below: ": {EjectBelow: 101, UseAbove: 101}, "use_above: ": {EjectBelow: 50, UseAbove: 45}, "heal_half: ": {HealHalf: -1},
		"slow_factor: ": {SlowFactor: 0.5}, "slow_floor: ": {SlowFloor: -1}, "max_ejected: ": {MaxEjected: 2}, "panic_below: ": {PanicBelow: 2},
	} {
		if err := s.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
