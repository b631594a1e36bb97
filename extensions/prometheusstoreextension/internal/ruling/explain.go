package ruling

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/internal/yamlkeys"
)

// parse reads one rule file with upstream's parser, and says of each error where it is, as file:line:column. Upstream
// knows the place of most errors in rules, but of no misspelt key by more than a line and a Go type, and of a bad
// duration, or of a group's name, none at all; these are found here.
func parse(file string, content []byte, logger *slog.Logger) (*rulefmt.RuleGroups, []error) {
	doc := &document{file: file}
	if err := yaml.Unmarshal(content, &doc.root); err != nil {
		// Upstream's parser must not see this: it reads on after the error, on which the YAML package may panic.
		return nil, doc.yamlErrors(err)
	}
	doc.checkKeys()
	// Unknown keys have been reported: without them, what else is wrong shows.
	groups, errs := rulefmt.Parse(content, len(doc.errs) > 0, model.UTF8Validation, newParser(), logger)
	if groups == nil && len(doc.errs) > 0 {
		return nil, doc.errs
	}
	for _, err := range errs {
		doc.errs = append(doc.errs, doc.explain(err)...)
	}
	// Upstream decodes twice and says the same of both.
	seen := map[string]bool{}
	return groups, slices.DeleteFunc(doc.errs, func(err error) bool {
		repeated := seen[err.Error()]
		seen[err.Error()] = true
		return repeated
	})
}

// document is the syntax tree of a rule file, for places.
type document struct {
	file string
	root yaml.Node
	errs []error
}

func (d *document) add(at *yaml.Node, format string, args ...any) {
	d.errs = append(d.errs, fmt.Errorf("%s:%d:%d: %s", d.file, at.Line, at.Column, fmt.Sprintf(format, args...)))
}

// checkKeys reports keys that do not exist, durations that are none, and groups without a name of their own.
func (d *document) checkKeys() {
	top := resolve(&d.root)
	d.checkMapping(top, "", keysOf[rulefmt.RuleGroups]())
	d.checkNames(sequence(child(top, "groups")))
	for i, group := range sequence(child(top, "groups")) {
		path := fmt.Sprintf("groups[%d]", i)
		d.checkMapping(group, path+".", keysOf[rulefmt.RuleGroup]())
		for j, rule := range sequence(child(group, "rules")) {
			d.checkMapping(rule, fmt.Sprintf("%s.rules[%d].", path, j), keysOf[rulefmt.Rule]())
		}
	}
}

// checkNames demands that each group has a name of its own: file and name are the identity of a group.
func (d *document) checkNames(groups []*yaml.Node) {
	lines := map[string]int{}
	for i, group := range groups {
		name := child(group, "name")
		switch {
		case group.Kind != yaml.MappingNode:
		case name == nil || name.Value == "":
			d.add(group, "groups[%d].name: must be set", i)
		case lines[name.Value] > 0:
			d.add(name, "groups[%d].name: %q is the name of the group in line %d: give this one another", i, name.Value, lines[name.Value])
		default:
			lines[name.Value] = name.Line
		}
	}
}

// checkMapping looks at the keys of one section; known says of each whether its value is a duration.
func (d *document) checkMapping(section *yaml.Node, path string, known map[string]bool) {
	for key, value := range pairs(section) {
		isDuration, ok := known[key.Value]
		switch {
		case key.Value == "<<", key.Tag == "!!null":
		case !ok:
			d.add(key, "%s%s: unknown key%s", path, key.Value, yamlkeys.DidYouMean(key.Value, slices.Collect(maps.Keys(known))))
		case isDuration && value.Kind == yaml.ScalarNode && value.Tag != "!!null":
			if _, err := model.ParseDuration(value.Value); err != nil {
				d.add(value, "%s%s: %q is not a duration: write it like 30s, 5m or 1h30m", path, key.Value, value.Value)
			}
		}
	}
}

// keysOf reads the keys of a section from upstream's own struct, so that an upgrade brings new ones along.
func keysOf[T any]() map[string]bool {
	keys := map[string]bool{}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		name, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		t := field.Type
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		keys[name] = t == reflect.TypeFor[model.Duration]()
	}
	return keys
}

var (
	// Upstream puts line:column before the message, twice when two keys are concerned. 0:0 is a key that is not there.
	placed   = regexp.MustCompile(`^((?:\d+:\d+: )+)(.*)$`)
	yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
)

// explain gives one of upstream's errors a place.
func (d *document) explain(err error) []error {
	var inRule *rulefmt.Error
	if errors.As(err, &inRule) {
		place, message := splitPlace(inRule.Err.Error())
		if rule := d.rule(inRule.Group, inRule.Rule); place == "" && rule != nil {
			place = fmt.Sprintf("%d:%d:", rule.Line, rule.Column)
		}
		name := ""
		if inRule.RuleName != "" {
			name = fmt.Sprintf(" (%s)", inRule.RuleName)
		}
		return []error{fmt.Errorf("%s:%s group %q, rule %d%s: %s", d.file, place, inRule.Group, inRule.Rule, name, message)}
	}
	place, message := splitPlace(err.Error())
	switch {
	case strings.HasPrefix(strings.ToLower(message), "groupname"):
		return nil // checkNames has said so, with the place
	case place != "":
		return []error{fmt.Errorf("%s:%s %s", d.file, place, message)}
	}
	return d.yamlErrors(err)
}

// splitPlace returns "line:column:" of the first place that exists, and the message without places.
func splitPlace(text string) (place, message string) {
	m := placed.FindStringSubmatch(text)
	if m == nil {
		return "", text
	}
	for p := range strings.FieldsSeq(m[1]) {
		if p != "0:0:" {
			return p, m[2]
		}
	}
	return "", m[2]
}

// plainTypes says in the words of the format what upstream says in Go's.
var plainTypes = strings.NewReplacer(
	"[]rulefmt.RuleGroupNode", "a list of groups", "[]rulefmt.RuleGroup", "a list of groups",
	"[]rulefmt.RuleNode", "a list of rules", "[]rulefmt.Rule", "a list of rules",
	"rulefmt.RuleGroupNode", "a group", "rulefmt.RuleGroups", "the keys of a rule file", "rulefmt.RuleGroup", "a group",
	"rulefmt.ruleGroups", "the keys of a rule file", "rulefmt.RuleNode", "a rule", "rulefmt.Rule", "a rule",
	"map[string]string", "a mapping",
)

// yamlErrors splits an error of the YAML package, which has lines.
func (d *document) yamlErrors(err error) (errs []error) {
	texts := []string{err.Error()}
	var types *yaml.TypeError
	if errors.As(err, &types) {
		texts = types.Errors
	}
	for _, text := range texts {
		text = plainTypes.Replace(text)
		if m := yamlLine.FindStringSubmatch(text); m != nil {
			errs = append(errs, fmt.Errorf("%s:%s: %s", d.file, m[1], m[2]))
		} else {
			errs = append(errs, fmt.Errorf("%s: %s", d.file, text))
		}
	}
	return errs
}

// rule finds the number-th rule (from 1) of the group.
func (d *document) rule(group string, number int) *yaml.Node {
	for _, g := range sequence(child(resolve(&d.root), "groups")) {
		if name := child(g, "name"); name == nil || name.Value != group {
			continue
		}
		if rules := sequence(child(g, "rules")); number <= len(rules) {
			return rules[number-1]
		}
	}
	return nil
}
