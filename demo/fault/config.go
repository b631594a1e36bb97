// Package fault decides which requests of the demo shop go wrong: by the odds of a configuration file, or exactly as a
// request itself asks.
//
// It decides only; failing and waiting is done by the service that asks. It starts no goroutine. An Injector may be
// used by many requests at once and its rules be replaced meanwhile: each request sees one set of rules.
package fault

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/tailgate-otel/tailgate/internal/yamlkeys"
)

// MaxDelay bounds every delay, configured or asked for: a request that waits for longer than all timeouts on its way
// shows nothing new and holds a connection.
const MaxDelay = 30 * time.Second

// Config is the content of a faults file.
type Config struct {
	// Seed of the odds. Equal seeds and rules give equal outcomes for the n-th request of a rule.
	Seed uint64 `yaml:"seed"`
	// Rules in order; the first that matches a request's service and route applies.
	Rules []Rule `yaml:"rules"`
}

// Rule says what happens to the requests of one route, or of a whole service.
type Rule struct {
	Service string `yaml:"service"`
	// Route as the service declares it, "POST /api/payment"; empty means every route of the service.
	Route string `yaml:"route,omitempty"`
	Error *Error `yaml:"error,omitempty"`
	// Latency in order of trial: the first whose probability hits delays the request.
	Latency []Latency `yaml:"latency,omitempty"`
}

// Error answers a share of the requests with a status instead of doing the work.
type Error struct {
	Ratio float64 `yaml:"ratio"`
	// Status between 400 and 599; default 500.
	Status int `yaml:"status"`
}

// Latency delays a request before its work. Exactly one of Fixed, Uniform and Exponential is set.
type Latency struct {
	// Probability that this entry applies; default 1.
	Probability *float64      `yaml:"probability,omitempty"`
	Fixed       time.Duration `yaml:"fixed,omitempty"`
	Uniform     *Uniform      `yaml:"uniform,omitempty"`
	Exponential *Exponential  `yaml:"exponential,omitempty"`
}

// Uniform is a delay with equal odds between Min and Max.
type Uniform struct {
	Min time.Duration `yaml:"min"`
	Max time.Duration `yaml:"max"`
}

// Exponential is a delay with many short and few long ones, as of a queue.
type Exponential struct {
	Mean time.Duration `yaml:"mean"`
	// Max cuts the tail; default MaxDelay.
	Max time.Duration `yaml:"max"`
}

// Services maps the name of each service to the routes it declares.
type Services map[string][]string

// Load reads a faults file.
func Load(file string, known Services) (Config, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return Config{}, fmt.Errorf("read faults: %w", err)
	}
	return Parse(file, data, known)
}

// Parse reads the content of a faults file; file is only named in errors. All mistakes are reported together.
func Parse(file string, data []byte, known Services) (Config, error) {
	var cfg Config
	if err := yamlkeys.Decode(file, data, &cfg); err != nil {
		return Config{}, err
	}
	if err := cfg.check(file, known); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

func (c *Config) check(file string, known Services) error {
	var errs []error
	for i, r := range c.Rules {
		report := func(key, format string, args ...any) {
			errs = append(errs, fmt.Errorf("%s: rules[%d].%s: %s", file, i, key, fmt.Sprintf(format, args...)))
		}
		r.check(report, known)
	}
	return errors.Join(errs...)
}

type reporter func(key, format string, args ...any)

func (r *Rule) check(report reporter, known Services) {
	routes, ok := known[r.Service]
	switch {
	case !ok:
		report("service", "there is no service %q%s", r.Service, yamlkeys.DidYouMean(r.Service, slices.Collect(maps.Keys(known))))
	case r.Route != "" && !slices.Contains(routes, r.Route):
		report("route", "%s has no route %q%s", r.Service, r.Route, yamlkeys.DidYouMean(r.Route, routes))
	}
	if r.Error == nil && len(r.Latency) == 0 {
		report("error", "the rule does nothing: give it an error or a latency")
	}
	if e := r.Error; e != nil {
		checkProbability(report, "error.ratio", e.Ratio)
		if e.Status != 0 && (e.Status < 400 || e.Status > 599 || http.StatusText(e.Status) == "") {
			report("error.status", "must be an HTTP status between 400 and 599, got %d", e.Status)
		}
	}
	for i, l := range r.Latency {
		l.check(func(key, format string, args ...any) {
			report(fmt.Sprintf("latency[%d]%s", i, key), format, args...)
		})
	}
}

func (l *Latency) check(report reporter) {
	if l.Probability != nil {
		checkProbability(report, ".probability", *l.Probability)
	}
	kinds := 0
	if l.Fixed != 0 {
		kinds++
		checkDelay(report, ".fixed", l.Fixed)
	}
	if u := l.Uniform; u != nil {
		kinds++
		checkDelay(report, ".uniform.min", u.Min)
		checkDelay(report, ".uniform.max", u.Max)
		if u.Max < u.Min {
			report(".uniform.max", "must not be below min (%s), got %s", u.Min, u.Max)
		}
	}
	if e := l.Exponential; e != nil {
		kinds++
		if e.Mean == 0 {
			report(".exponential.mean", "must be positive")
		}
		checkDelay(report, ".exponential.mean", e.Mean)
		checkDelay(report, ".exponential.max", e.Max)
	}
	if kinds != 1 {
		report("", "needs exactly one of fixed, uniform and exponential, has %d", kinds)
	}
}

func checkProbability(report reporter, key string, p float64) {
	if !(p >= 0 && p <= 1) { // NaN fails too
		report(key, "must be between 0 and 1, got %v", p)
	}
}

func checkDelay(report reporter, key string, d time.Duration) {
	if d < 0 || d > MaxDelay {
		report(key, "must be between 0 and %s, got %s", MaxDelay, d)
	}
}
