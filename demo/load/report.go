package load

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Report is what a run did. Times are seconds.
type Report struct {
	Started   time.Time `json:"started"`
	Seconds   float64   `json:"seconds"`
	Gateway   string    `json:"gateway"`
	Seed      uint64    `json:"seed"`
	Rate      float64   `json:"rate"`      // asked for
	PerSecond float64   `json:"perSecond"` // achieved
	// Requests sent; Answered are those with a status. The rest is in TransportErrors by kind: timeout, refused, reset,
	// closed, other.
	Requests        int            `json:"requests"`
	Answered        int            `json:"answered"`
	TransportErrors map[string]int `json:"transportErrors"`
	// ByClass counts the answers by class of status: 2xx, 3xx, 4xx, 5xx.
	ByClass map[string]int `json:"byClass"`
	// Faulted counts the requests sent with the fault of the settings.
	Faulted int `json:"faulted"`
	// Late counts the requests that left more than 10 ms after they were due; MaxLate is the worst.
	Late    int     `json:"late"`
	MaxLate float64 `json:"maxLate"`
	Latency Latency `json:"latency"`
	Routes  []Count `json:"routes"`
}

// Count is the number of answers of one method, route and status. Status 0 stands for no answer.
type Count struct {
	Method  string  `json:"method"`
	Route   string  `json:"route"`
	Status  int     `json:"status"`
	Count   int     `json:"count"`
	Latency Latency `json:"latency"`
}

// Latency are quantiles, exact to 1 %.
type Latency struct {
	P50 Seconds `json:"p50"`
	P90 Seconds `json:"p90"`
	P99 Seconds `json:"p99"`
	Max Seconds `json:"max"`
}

// Seconds is a duration as a number in JSON.
type Seconds float64

// String is the duration for a reader: 9.5ms.
func (s Seconds) String() string {
	return time.Duration(float64(s) * float64(time.Second)).Round(100 * time.Microsecond).String()
}

// Write stores the report as JSON. The file appears whole or not at all.
func (r *Report) Write(file string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	if err := os.WriteFile(file+".tmp", append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	if err := os.Rename(file+".tmp", file); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

// lateAfter is the lateness that counts; below it the timer is to blame.
const lateAfter = 10 * time.Millisecond

type outcome struct {
	method, route string
	status        int // 0: failure says why there was no answer
	failure       string
	took, late    time.Duration
}

type tallyKey struct {
	method, route string
	status        int
}

// tally counts. Its size is that of the closed set of routes and statuses.
type tally struct {
	mu       sync.Mutex // guards the fields below
	byKey    map[tallyKey]*histogram
	all      histogram
	failures map[string]int
	faulted  int
	late     int
	maxLate  time.Duration
}

func newTally() *tally {
	return &tally{byKey: make(map[tallyKey]*histogram), failures: make(map[string]int)}
}

func (t *tally) fault() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.faulted++
}

func (t *tally) add(o outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := tallyKey{o.method, o.route, o.status}
	h := t.byKey[key]
	if h == nil {
		h = &histogram{}
		t.byKey[key] = h
	}
	h.add(o.took)
	t.all.add(o.took)
	if o.failure != "" {
		t.failures[o.failure]++
	}
	if o.late > lateAfter {
		t.late++
	}
	t.maxLate = max(t.maxLate, o.late)
}

func (t *tally) report(s Settings, started time.Time, elapsed time.Duration) *Report {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &Report{
		Started: started, Seconds: elapsed.Seconds(), Gateway: s.Gateway, Seed: s.Seed, Rate: s.Rate,
		Requests: t.all.count, TransportErrors: make(map[string]int), ByClass: make(map[string]int),
		Faulted: t.faulted, Late: t.late, MaxLate: t.maxLate.Seconds(), Latency: t.all.quantiles(), Routes: []Count{},
	}
	if elapsed > 0 {
		r.PerSecond = math.Round(float64(r.Requests)/elapsed.Seconds()*100) / 100
	}
	for kind, n := range t.failures {
		r.TransportErrors[kind] = n
	}
	for key, h := range t.byKey {
		r.Routes = append(r.Routes, Count{key.method, key.route, key.status, h.count, h.quantiles()})
		if key.status != 0 {
			r.Answered += h.count
			r.ByClass[strconv.Itoa(key.status/100)+"xx"] += h.count
		}
	}
	slices.SortFunc(r.Routes, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Route, b.Route), cmp.Compare(a.Method, b.Method), cmp.Compare(a.Status, b.Status))
	})
	return r
}

// growth is the width of a bucket: quantiles are exact to half of it.
const growth = 1.02

// histogram counts durations in buckets that grow by 2 %: 1,500 of them reach from a microsecond beyond two years.
type histogram struct {
	buckets []int32
	count   int
	max     time.Duration
}

func (h *histogram) add(d time.Duration) {
	i := int(math.Log(max(1, float64(d)/float64(time.Microsecond))) / math.Log(growth))
	for len(h.buckets) <= i {
		h.buckets = append(h.buckets, 0)
	}
	h.buckets[i]++
	h.count++
	h.max = max(h.max, d)
}

func (h *histogram) quantiles() Latency {
	return Latency{Seconds(h.quantile(0.5)), Seconds(h.quantile(0.9)), Seconds(h.quantile(0.99)), Seconds(h.max.Seconds())}
}

// quantile returns the middle of the bucket in which the q-th duration lies, in seconds.
func (h *histogram) quantile(q float64) float64 {
	rank, seen := int(math.Ceil(q*float64(h.count))), 0
	for i, n := range h.buckets {
		seen += int(n)
		if n > 0 && seen >= rank {
			return min(h.max.Seconds(), math.Pow(growth, float64(i)+0.5)/1e6)
		}
	}
	return 0
}
