package check

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// Labels that every series may bear without standing in the contract: the identity of the program, and the bounds of
// classic buckets.
const (
	labelJob      = "job"
	labelInstance = "instance"
	labelLE       = "le"
	labelName     = "__name__"
)

// seriesKind is what the samples of a series are.
type seriesKind int

const (
	gaugeSeries seriesKind = iota
	counterSeries
	bucketSeries // classic buckets: counters with a bound
	nativeSeries // native histograms
)

// series is one Prometheus series name that the contract promises.
type series struct {
	metric telemetry.Metric
	kind   seriesKind
	labels map[string]telemetry.Attribute // by Prometheus label
}

// contract finds series by their Prometheus names.
type contract struct {
	byName map[string]series
	naming telemetry.Naming
}

func newContract(metrics []telemetry.Metric, n telemetry.Naming) *contract {
	c := &contract{byName: map[string]series{}, naming: n}
	for _, m := range metrics {
		s := series{metric: m, labels: map[string]telemetry.Attribute{}}
		for _, a := range m.Attributes {
			s.labels[n.Label(a.Key)] = a
		}
		for _, name := range n.Series(m) {
			s.kind = kindOf(m.Kind, name)
			c.byName[name] = s
		}
	}
	return c
}

func kindOf(k telemetry.Kind, name string) seriesKind {
	switch k {
	case telemetry.Counter:
		return counterSeries
	case telemetry.NativeHistogram:
		return nativeSeries
	case telemetry.Histogram:
		if strings.HasSuffix(name, "_bucket") {
			return bucketSeries
		}
		return counterSeries // _count and _sum
	}
	return gaugeSeries
}

// unknown says why a series name is not in the contract, as far as the name tells.
func (c *contract) unknown(name string) string {
	msg := fmt.Sprintf("metric %s is not in the contract", name)
	for _, suffix := range []string{"_bucket", "_count", "_sum"} {
		base := strings.TrimSuffix(name, suffix)
		if s, ok := c.byName[base]; ok && base != name && s.kind == nativeSeries {
			return fmt.Sprintf("%s: %s is a native histogram and has no %s series; read it with histogram_count, histogram_sum or histogram_quantile", msg, base, suffix)
		}
	}
	switch {
	case c.has(name + "_total"):
		return fmt.Sprintf("%s: it has lost its suffix; the counter is %s_total", msg, name)
	case c.has(strings.TrimSuffix(name, "_total")):
		return fmt.Sprintf("%s: it has a suffix too many; did you mean %s?", msg, strings.TrimSuffix(name, "_total"))
	}
	if best := nearest(name, slices.Sorted(maps.Keys(c.byName))); best != "" {
		return fmt.Sprintf("%s; did you mean %s?", msg, best)
	}
	return msg + "; dashctl checks against telemetry.Gateway, telemetry.Store and upstream.All: add it there first"
}

func (c *contract) has(name string) bool { _, ok := c.byName[name]; return ok }

// unknownLabel says that a series does not bear a label, and which it has.
func (s series) unknownLabel(label string) string {
	have := slices.Sorted(maps.Keys(s.labels))
	msg := fmt.Sprintf("metric %s has no label %s", s.metric.Name, label)
	if best := nearest(label, have); best != "" {
		return fmt.Sprintf("%s; did you mean %s?", msg, best)
	}
	return fmt.Sprintf("%s; it has: %s", msg, strings.Join(append(have, labelInstance, labelJob), ", "))
}

// bears tells whether the series can have the label.
func (s series) bears(label string) bool {
	switch label {
	case labelJob, labelInstance, labelName:
		return true
	case labelLE:
		return s.kind == bucketSeries
	}
	_, ok := s.labels[label]
	return ok
}

// literals matches the regular expressions whose alternatives can be checked one by one.
var literals = regexp.MustCompile(`^\(?[\w-]+(\|[\w-]+)*\)?$`)

// allows reports why a matcher can never match a value that the contract promises. A value that comes from a variable
// is not known here.
func (s series) allows(label, op, value string) error {
	a, ok := s.labels[label]
	if !ok || value == "" || strings.Contains(value, variableMark) {
		return nil
	}
	switch op {
	case "=", "!=":
		return a.Allows(value)
	}
	if literals.MatchString(value) {
		for _, v := range strings.Split(strings.Trim(value, "()"), "|") {
			if err := a.Allows(v); err != nil {
				return err
			}
		}
		return nil
	}
	re, err := regexp.Compile("^(?s:" + value + ")$")
	if err != nil {
		return fmt.Errorf("%s%s%q: %w", label, op, value, err)
	}
	return matchesSome(a, re)
}

func matchesSome(a telemetry.Attribute, re *regexp.Regexp) error {
	switch {
	case len(a.Values) > 0:
		if !slices.ContainsFunc(a.Values, re.MatchString) {
			return fmt.Errorf("%s: no value of the contract matches %s; there are %s", a.Key, re, strings.Join(a.Values, ", "))
		}
	case a.Max != 0:
		for n := a.Min; n <= a.Max; n++ {
			if re.MatchString(strconv.Itoa(n)) {
				return nil
			}
		}
		return fmt.Errorf("%s: no number from %d to %d matches %s", a.Key, a.Min, a.Max, re)
	}
	return nil
}

// nearest returns the candidate closest to word, or "" when none is close: more than a third of the letters differ.
func nearest(word string, candidates []string) string {
	best, distance := "", len(word)/3+1
	for _, c := range candidates {
		if d := levenshtein.ComputeDistance(word, c); d < distance {
			best, distance = c, d
		}
	}
	return best
}
