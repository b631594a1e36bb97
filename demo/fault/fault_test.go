package fault_test

import (
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/demo/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var known = fault.Services{
	"payment": {"POST /api/payment"},
	"catalog": {"GET /api/catalog/products", "GET /api/catalog/products/{id}"},
}

func TestParseNamesEveryMistake(t *testing.T) {
	for _, tc := range []struct {
		name, yaml string
		want       []string
	}{
		{"unknown key", "rules:\n  - {service: payment, error: {ration: 0.5}}", []string{`f.yaml:2: rules[0].error.ration: unknown key; did you mean "ratio"?`}},
		{"unknown service", "rules: [{service: paymant, error: {ratio: 1}}]", []string{`f.yaml: rules[0].service: there is no service "paymant"; did you mean "payment"?`}},
		{"unknown route", "rules: [{service: payment, route: GET /api/payment, error: {ratio: 1}}]", []string{`rules[0].route: payment has no route "GET /api/payment"; did you mean "POST /api/payment"?`}},
		{"nothing to do", "rules: [{service: payment}]", []string{"rules[0].error: the rule does nothing"}},
		{"ratio", "rules: [{service: payment, error: {ratio: 1.5}}]", []string{"rules[0].error.ratio: must be between 0 and 1, got 1.5"}},
		{"not a number", "rules: [{service: payment, error: {ratio: .nan}}]", []string{"rules[0].error.ratio: must be between 0 and 1"}},
		{"status", "rules: [{service: payment, error: {ratio: 1, status: 200}}]", []string{"rules[0].error.status: must be an HTTP status between 400 and 599, got 200"}},
		{"no kind of latency", "rules: [{service: payment, latency: [{probability: 1}]}]", []string{"rules[0].latency[0]: needs exactly one of fixed, uniform and exponential, has 0"}},
		{
			"all at once",
			"rules: [{service: payment, latency: [{fixed: 1s, uniform: {min: 2s, max: 1s}}, {fixed: 1h}]}, {service: x, latency: [{exponential: {max: -1s}}]}]",
			[]string{
				"rules[0].latency[0].uniform.max: must not be below min (2s), got 1s", "rules[0].latency[0]: needs exactly one of",
				"rules[0].latency[1].fixed: must be between 0 and 30s, got 1h0m0s", `rules[1].service: there is no service "x"`,
				"rules[1].latency[0].exponential.mean: must be positive", "rules[1].latency[0].exponential.max: must be between 0 and 30s",
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := fault.Parse("f.yaml", []byte(tc.yaml), known)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error lacks %q:\n%v", want, err)
				}
			}
		})
	}
}

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "faults.yaml")
	if _, err := fault.Load(file, known); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(file, []byte("seed: 7\nrules: [{service: payment, error: {ratio: 1}}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := fault.Load(file, known)
	if err != nil || cfg.Seed != 7 || len(cfg.Rules) != 1 {
		t.Errorf("loaded %+v, %v", cfg, err)
	}
}

func parse(t *testing.T, yaml string) *fault.Injector {
	t.Helper()
	cfg, err := fault.Parse("f.yaml", []byte(yaml), known)
	if err != nil {
		t.Fatal(err)
	}
	return fault.NewInjector(cfg)
}

const odds = `
seed: 42
rules:
  - service: payment
    error: {ratio: 0.2, status: 503}
    latency: [{probability: 0.5, fixed: 1s}, {uniform: {min: 10ms, max: 20ms}}]
  - service: catalog
    route: GET /api/catalog/products
    latency: [{exponential: {mean: 100ms, max: 300ms}}]
`

func TestOddsAreMet(t *testing.T) {
	const n = 20000
	inj := parse(t, odds)
	var failed, slow int
	for range n {
		o := inj.Decide("payment", "POST /api/payment")
		switch {
		case o.Delay == time.Second:
			slow++
		case o.Delay < 10*time.Millisecond || o.Delay >= 20*time.Millisecond:
			t.Fatalf("uniform delay of %s", o.Delay)
		}
		if o.Status == 503 {
			failed++
		} else if o.Status != 0 {
			t.Fatalf("status %d", o.Status)
		}
	}
	// Five standard deviations of a binomial distribution: sqrt(n p (1-p)) is 57 and 71.
	if math.Abs(float64(failed)-0.2*n) > 5*57 || math.Abs(float64(slow)-0.5*n) > 5*71 {
		t.Errorf("%d of %d failed, %d were slow", failed, n, slow)
	}
	var sum time.Duration
	for range n {
		o := inj.Decide("catalog", "GET /api/catalog/products")
		if o.Delay > 300*time.Millisecond {
			t.Fatalf("exponential delay of %s", o.Delay)
		}
		sum += o.Delay
	}
	// The mean of an exponential distribution cut at c is mean (1 - exp(-c/mean)): 95 ms.
	if mean := sum / n; mean < 92*time.Millisecond || mean > 98*time.Millisecond {
		t.Errorf("mean delay %s", mean)
	}
	if o := inj.Decide("catalog", "GET /api/catalog/products/{id}"); o != (fault.Outcome{}) {
		t.Errorf("a route without a rule got %+v", o)
	}
}

func TestEqualSeedsGiveEqualLuckWhateverElseHappens(t *testing.T) {
	a, b := parse(t, odds), parse(t, odds)
	for i := range 1000 {
		if i%3 == 0 {
			b.Decide("catalog", "GET /api/catalog/products") // traffic elsewhere
		}
		if x, y := a.Decide("payment", "POST /api/payment"), b.Decide("payment", "POST /api/payment"); x != y {
			t.Fatalf("request %d: %+v and %+v", i, x, y)
		}
	}
	other := parse(t, strings.Replace(odds, "seed: 42", "seed: 43", 1))
	same := 0
	a = parse(t, odds)
	for range 1000 {
		if a.Decide("payment", "") == other.Decide("payment", "") {
			same++
		}
	}
	if same == 1000 {
		t.Error("another seed changes nothing")
	}
}

func TestSetReplacesTheRules(t *testing.T) {
	inj := parse(t, odds)
	inj.Set(fault.Config{Rules: []fault.Rule{{Service: "payment", Error: &fault.Error{Ratio: 1}}}})
	if o := inj.Decide("payment", "POST /api/payment"); o != (fault.Outcome{Status: 500}) {
		t.Errorf("outcome %+v", o)
	}
	if len(inj.Config().Rules) != 1 {
		t.Errorf("config is %+v", inj.Config())
	}
}

func TestParseDirectives(t *testing.T) {
	for _, tc := range []struct {
		text string
		want map[string]fault.Outcome
		err  string
	}{
		{text: "none", want: map[string]fault.Outcome{}},
		{text: "payment=error", want: map[string]fault.Outcome{"payment": {Status: 503}}},
		{
			text: "payment=slow:800ms; payment=error:502;catalog=timeout",
			want: map[string]fault.Outcome{"payment": {Status: 502, Delay: 800 * time.Millisecond}, "catalog": {Delay: fault.MaxDelay}},
		},
		{text: "", err: "is not of the form"},
		{text: "payment", err: "is not of the form"},
		{text: "paymen=error", err: `no service "paymen"; did you mean "payment"?`},
		{text: "payment=slow", err: "unknown fault"},
		{text: "payment=eror", err: `did you mean "error"?`},
		{text: "payment=error:200", err: "between 400 and 599"},
		{text: "payment=slow:5", err: "must be a duration"},
		{text: "payment=slow:1h", err: "must be a duration between 0s and 30s"},
		{text: "payment=error;", err: "is not of the form"},
	} {
		got, err := fault.ParseDirectives(tc.text, known)
		switch {
		case tc.err != "":
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%q: error %v, want %q in it", tc.text, err, tc.err)
			}
		case err != nil:
			t.Errorf("%q: %v", tc.text, err)
		case !maps.Equal(got, tc.want):
			t.Errorf("%q: %v, want %v", tc.text, got, tc.want)
		}
	}
}

func FuzzParseDirectives(f *testing.F) {
	for _, seed := range []string{"none", "payment=error;catalog=slow:1s", "payment=error:", "=;=", "payment=slow:-1s"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := fault.ParseDirectives(text, known)
		if err != nil {
			return
		}
		for service, o := range got {
			if !slices.Contains(slices.Collect(maps.Keys(known)), service) || o.Delay < 0 || o.Delay > fault.MaxDelay ||
				o.Status != 0 && (o.Status < 400 || o.Status > 599) {
				t.Errorf("%q gave %s %+v", text, service, o)
			}
		}
	})
}
