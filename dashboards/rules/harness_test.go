package rules_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	engine "github.com/prometheus/prometheus/rules"

	"github.com/tailgate-otel/tailgate/dashboards/rules"
	"github.com/tailgate-otel/tailgate/telemetry"
)

// scenario is what the programs report, and which alerts fire then.
type scenario struct {
	name string
	// series are lines made by of. A sample stands for each step, from minute 0.
	series []string
	step   time.Duration // between samples and evaluations; 30s when zero
	at     time.Duration // when it is looked at; the end of the story
	fires  []string      // all alerts of the file that fire: Name{labels}, without job and severity; none is silence
}

const defaultStep = 30 * time.Second

// of writes the series of a metric of program tailgate, instance a. values are in promtool's notation: 0+5x40 is 41
// samples from 0 in steps of 5, _x3 three that are missing. labels are pairs; job and instance can be among them.
func of(m telemetry.Metric, values string, pairs ...string) string {
	return series(telemetry.DefaultNaming.Metric(m), values, pairs...)
}

func series(name, values string, pairs ...string) string {
	set := map[string]string{"job": "tailgate", "instance": "a"}
	for i := 0; i < len(pairs); i += 2 {
		set[pairs[i]] = pairs[i+1]
	}
	return name + labels.FromMap(set).String() + " " + values
}

// emitted writes the rule files into a folder and returns their paths by name.
func emitted(t *testing.T) map[string]string {
	t.Helper()
	files, err := rules.All(telemetry.DefaultNaming)
	if err != nil {
		t.Fatal(err)
	}
	texts, err := rules.Emit(files, rules.DefaultRunbooks)
	if err != nil {
		t.Fatal(err)
	}
	dir, out := t.TempDir(), map[string]string{}
	for _, f := range files {
		out[f.Name] = filepath.Join(dir, f.Name+".yaml")
		if err := os.WriteFile(out[f.Name], texts[rules.PlainFolder+"/"+f.Name+".yaml"], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// play evaluates rule files over series, whose samples are a step apart, in Prometheus' own rule engine, and calls look
// after each evaluation.
func play(t *testing.T, paths []string, series []string, step, every, end time.Duration, look func(at time.Duration, alerts []*engine.Alert)) {
	t.Helper()
	input := fmt.Sprintf("load %s\n  %s\n", step, strings.Join(series, "\n  "))
	loader, err := promqltest.NewLazyLoader(input, promqltest.LazyLoaderOpts{EnableAtModifier: true, EnableNegativeOffset: true})
	if err != nil {
		t.Fatalf("%v in\n%s", err, input)
	}
	defer func() {
		if err := loader.Close(); err != nil {
			t.Error(err)
		}
	}()
	manager := engine.NewManager(&engine.ManagerOptions{
		QueryFunc:  engine.EngineQueryFunc(loader.QueryEngine(), loader.Storage()),
		Appendable: loader.Storage(), Context: context.Background(), Logger: slog.New(slog.DiscardHandler),
		NotifyFunc: func(context.Context, string, ...*engine.Alert) {}, Parser: parser.NewParser(parser.Options{}),
	})
	byKey, errs := manager.LoadGroups(every, labels.EmptyLabels(), "", nil, false, paths...)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	for at := time.Duration(0); at <= end; at += every {
		ts := time.Unix(0, 0).UTC().Add(at)
		var alerts []*engine.Alert
		loader.WithSamplesTill(ts, func(err error) {
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range byKey {
				g.Eval(loader.Context(), ts)
				for _, r := range g.Rules() {
					if r.LastError() != nil {
						t.Fatalf("%s at %s: %v", r.Name(), at, r.LastError())
					}
					if alerting, ok := r.(*engine.AlertingRule); ok {
						alerts = append(alerts, alerting.ActiveAlerts()...)
					}
				}
			}
		})
		look(at, alerts)
	}
}

// firing writes the alerts that fire, sorted.
func firing(alerts []*engine.Alert) []string {
	out := []string{}
	for _, a := range alerts {
		if a.State == engine.StateFiring {
			rest := labels.NewBuilder(a.Labels).Del(labels.AlertName, "job", "severity").Labels()
			out = append(out, a.Labels.Get(labels.AlertName)+rest.String())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// checkText fails when a template of a firing alert was not filled in.
func checkText(t *testing.T, alerts []*engine.Alert) {
	t.Helper()
	for _, a := range alerts {
		a.Annotations.Range(func(l labels.Label) {
			if strings.Contains(l.Value, "<error") || strings.Contains(l.Value, "<no value>") || strings.Contains(l.Value, "{{") ||
				strings.Contains(l.Value, "  ") || strings.Contains(l.Value, " on .") {
				t.Errorf("%s: %s is %q", a.Labels.Get(labels.AlertName), l.Name, l.Value)
			}
		})
	}
}

// run plays scenarios of one file. Every alert of the file must fire in one of them, and be silent in one that has the
// same name in front, so that a threshold is seen from both sides.
func run(t *testing.T, file string, scenarios []scenario) {
	t.Helper()
	path := emitted(t)[file]
	fired := map[string]bool{}
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			step := s.step
			if step == 0 {
				step = defaultStep
			}
			var last []*engine.Alert
			play(t, []string{path}, s.series, step, step, s.at, func(_ time.Duration, alerts []*engine.Alert) { last = alerts })
			got, want := firing(last), append([]string{}, s.fires...)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("at %s:\n  fires %s\n  want  %s", s.at, strings.Join(got, " "), strings.Join(want, " "))
			}
			checkText(t, last)
			for _, f := range got {
				name, _, _ := strings.Cut(f, "{")
				fired[name] = true
			}
		})
	}
	for _, name := range alertNames(t, file) {
		if !fired[name] {
			t.Errorf("%s fires in no scenario", name)
		}
		if !slices.ContainsFunc(scenarios, func(s scenario) bool {
			return strings.HasPrefix(s.name, name+": ") && !slices.ContainsFunc(s.fires, func(f string) bool { return strings.HasPrefix(f, name+"{") })
		}) {
			t.Errorf("no scenario %q in which it is silent", name+": …")
		}
	}
}

// alertNames lists the alerts of a file, or of all files.
func alertNames(t *testing.T, file string) []string {
	t.Helper()
	files, err := rules.All(telemetry.DefaultNaming)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range files {
		for _, g := range f.Groups {
			for _, a := range g.Alerts {
				if file == "" || f.Name == file {
					out = append(out, a.Name)
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
