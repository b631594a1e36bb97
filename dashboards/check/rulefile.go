package check

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"
)

// RuleFile is the groups of a Prometheus rule file, or of a PrometheusRule resource.
type RuleFile struct {
	File   string
	Groups []RuleGroup
}

// RuleGroup is rules that are evaluated together.
type RuleGroup struct {
	Name  string
	Rules []Rule
}

// Rule is a recording or an alerting rule: one of Record and Alert is its name.
type Rule struct {
	Record, Alert       string
	Expr                string
	For                 time.Duration
	Labels, Annotations map[string]string
}

// LoadRules reads every .yaml file of the folders rules and prometheusrule of fsys, if there are any. What Prometheus
// would not load is a finding, not an error.
func LoadRules(fsys fs.FS) ([]RuleFile, []Finding, error) {
	var all []RuleFile
	var findings []Finding
	for _, form := range []struct {
		pattern string
		groups  func([]byte) ([]byte, error)
	}{
		{"rules/*.yaml", func(data []byte) ([]byte, error) { return data, nil }},
		{"prometheusrule/*.yaml", specOf},
	} {
		files, err := fs.Glob(fsys, form.pattern)
		if err != nil {
			return nil, nil, err
		}
		for _, file := range files {
			data, err := fs.ReadFile(fsys, file)
			if err != nil {
				return nil, nil, err
			}
			if data, err = form.groups(data); err == nil {
				var groups []RuleGroup
				groups, err = parseRules(data)
				all = append(all, RuleFile{File: file, Groups: groups})
			}
			if err != nil {
				findings = append(findings, Finding{Rule: "schema", File: file, Dashboard: file, Message: err.Error()})
			}
		}
	}
	return all, findings, nil
}

// specOf takes the groups out of a PrometheusRule.
func specOf(data []byte) ([]byte, error) {
	var resource struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string `yaml:"kind"`
		Metadata   struct {
			Name string `yaml:"name"`
		} `yaml:"metadata"`
		Spec yaml.Node `yaml:"spec"`
	}
	if err := yaml.Unmarshal(data, &resource); err != nil {
		return nil, fmt.Errorf("not YAML: %w", err)
	}
	if resource.APIVersion != "monitoring.coreos.com/v1" || resource.Kind != "PrometheusRule" || resource.Metadata.Name == "" {
		return nil, fmt.Errorf("%s %s %q: want a PrometheusRule of monitoring.coreos.com/v1 with a name",
			resource.APIVersion, resource.Kind, resource.Metadata.Name)
	}
	return yaml.Marshal(&resource.Spec)
}

// parseRules reads groups as Prometheus does: unknown keys, expressions and templates that do not parse are errors.
func parseRules(data []byte) ([]RuleGroup, error) {
	parsed, errs := rulefmt.Parse(data, false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if len(errs) > 0 {
		return nil, fmt.Errorf("Prometheus would not load it: %w", errors.Join(errs...))
	}
	var groups []RuleGroup
	for _, g := range parsed.Groups {
		group := RuleGroup{Name: g.Name}
		for _, r := range g.Rules {
			group.Rules = append(group.Rules, Rule{Record: r.Record, Alert: r.Alert, Expr: strings.TrimSpace(r.Expr),
				For: time.Duration(r.For), Labels: r.Labels, Annotations: r.Annotations})
		}
		groups = append(groups, group)
	}
	return groups, nil
}

// name is what the rule is called in findings.
func (r Rule) name() string {
	if r.Alert != "" {
		return r.Alert
	}
	return r.Record
}
