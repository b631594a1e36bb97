package check

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

//go:embed schema/*.json
var schemaFiles embed.FS

// schemaBase is the address under which the schemas know each other. Nothing is fetched from it.
const schemaBase = "schema:///"

// corrections replace properties that the SDK's generator got wrong: values of any type came out as objects, which would
// refuse what Grafana itself writes (a matcher by name has a string for options).
var corrections = []struct {
	file, definition, property string
	schema                     any
}{
	{"dashboard.json", "MatcherConfig", "options", map[string]any{}},
	{"dashboard.json", "DynamicConfigValue", "value", map[string]any{}},
	{"dashboard.json", "VariableModel", "query", map[string]any{}},
	{"dashboardv2.json", "MatcherConfig", "options", map[string]any{}},
	{"dashboardv2.json", "DynamicConfigValue", "value", map[string]any{}},
}

// schemas validates dashboards against Grafana's JSON schemas, and targets, options and custom configuration against
// those of the plugins, because the dashboard schemas leave them open.
type schemas struct {
	byRef map[string]*jsonschema.Schema // "timeseries.json#/definitions/Options"
}

// readSchemas reads the embedded schemas once; what it returns is never changed and may be used concurrently.
var readSchemas = sync.OnceValues(newSchemas)

func newSchemas() (*schemas, error) {
	files, err := fs.Glob(schemaFiles, "schema/*.json")
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	for _, file := range files {
		data, err := schemaFiles.ReadFile(file)
		if err != nil {
			return nil, err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		name := path.Base(file)
		if err := correct(name, doc); err != nil {
			return nil, err
		}
		if err := compiler.AddResource(schemaBase+name, doc); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
	}
	s := &schemas{byRef: map[string]*jsonschema.Schema{}}
	for _, ref := range schemaRefs() {
		if s.byRef[ref], err = compiler.Compile(schemaBase + ref); err != nil {
			return nil, fmt.Errorf("read %s: %w", ref, err)
		}
	}
	return s, nil
}

// Where the schemas of a whole dashboard and of a target stand.
const (
	refClassic = "dashboard.json#/definitions/Dashboard"
	refV2      = "dashboardv2.json#/definitions/Dashboard"
	refTarget  = "prometheus.json#/definitions/Dataquery"
)

func refOptions(plugin string) string { return plugin + ".json#/definitions/Options" }
func refCustom(plugin string) string  { return plugin + ".json#/definitions/FieldConfig" }

// withCustom are the plugins that have field configuration of their own.
var withCustom = []string{"timeseries", "table", "heatmap"}

func schemaRefs() []string {
	refs := []string{refClassic, refV2, refTarget}
	for _, p := range panelTypes {
		refs = append(refs, refOptions(p))
	}
	for _, p := range withCustom {
		refs = append(refs, refCustom(p))
	}
	return refs
}

func correct(file string, doc any) error {
	for _, c := range corrections {
		if c.file != file {
			continue
		}
		properties, err := lookUp(doc, "definitions", c.definition, "properties")
		if err != nil {
			return fmt.Errorf("correct %s of %s in %s: %w", c.property, c.definition, file, err)
		}
		if _, ok := properties[c.property]; !ok {
			return fmt.Errorf("correct %s of %s in %s: no such property", c.property, c.definition, file)
		}
		properties[c.property] = c.schema
	}
	return nil
}

func lookUp(doc any, keys ...string) (map[string]any, error) {
	for _, k := range keys {
		m, ok := doc.(map[string]any)
		if !ok || m[k] == nil {
			return nil, fmt.Errorf("no %s", k)
		}
		doc = m[k]
	}
	m, ok := doc.(map[string]any)
	if !ok {
		return nil, errors.New("not an object")
	}
	return m, nil
}

// check validates a dashboard and everything in it that has a schema.
func (s *schemas) check(d Dashboard, r report) {
	if d.Schema == "classic" {
		s.validate(refClassic, d.raw, "", r)
	} else if m, ok := d.raw.(map[string]any); ok {
		s.validate(refV2, m["spec"], "spec", r)
	}
	for _, p := range d.Panels {
		r := r.panel(p)
		if p.Type == "row" {
			continue
		}
		if !slices.Contains(panelTypes, p.Type) {
			r.add("schema", "panel type %q is none of %s", p.Type, strings.Join(panelTypes, ", "))
			continue
		}
		if p.options != nil {
			s.validate(refOptions(p.Type), p.options, "options", r)
		}
		if p.custom != nil && slices.Contains(withCustom, p.Type) {
			s.validate(refCustom(p.Type), p.custom, "fieldConfig.defaults.custom", r)
		}
		for _, t := range p.Targets {
			s.validate(refTarget, t.raw, "target", r.target(t))
		}
	}
}

// panelTypes is the closed list of panel plugins.
var panelTypes = []string{"timeseries", "stat", "table", "heatmap", "text"}

// validate reports each leaf of what the schema refuses.
func (s *schemas) validate(ref string, value any, at string, r report) {
	var invalid *jsonschema.ValidationError
	if err := s.byRef[ref].Validate(value); errors.As(err, &invalid) {
		for _, leaf := range leaves(invalid) {
			where := strings.Trim(at+"."+strings.Join(leaf.InstanceLocation, "."), ".")
			r.add("schema", "%s: %s (%s)", where, message(leaf), ref)
		}
	}
}

// leaves lists the reasons at the ends of the tree. Of alternatives it follows the one that got furthest: a panel with a
// wrong option is meant as a panel, and what it lacks to be a row says nothing.
func leaves(e *jsonschema.ValidationError) []*jsonschema.ValidationError {
	if len(e.Causes) == 0 {
		return []*jsonschema.ValidationError{e}
	}
	var all [][]*jsonschema.ValidationError
	for _, c := range e.Causes {
		all = append(all, leaves(c))
	}
	switch e.ErrorKind.(type) {
	case *kind.AnyOf, *kind.OneOf:
		return slices.MaxFunc(all, func(a, b []*jsonschema.ValidationError) int { return cmp.Compare(depth(a), depth(b)) })
	}
	return slices.Concat(all...)
}

func depth(es []*jsonschema.ValidationError) int {
	deepest := 0
	for _, e := range es {
		deepest = max(deepest, len(e.InstanceLocation))
	}
	return deepest
}

// message is the last line of the validator's text, the reason without the place.
func message(e *jsonschema.ValidationError) string {
	lines := strings.Split(strings.TrimSpace(e.Error()), "\n")
	last := strings.TrimLeft(lines[len(lines)-1], " -")
	if _, reason, ok := strings.Cut(last, "': "); ok {
		return reason
	}
	return last
}
