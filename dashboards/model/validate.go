package model

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// uidPattern: Grafana takes up to 40 of these characters; ours are lower case, so that they read well in an address.
var uidPattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,39}$`)

// Validate reports everything that an emitter could not turn into a working dashboard. What only shows in the emitted
// JSON (queries, labels, link targets) is the business of dashboards/check.
func (d Dashboard) Validate() error {
	v := &validation{prefix: d.UID}
	if !uidPattern.MatchString(d.UID) {
		v.add("uid %q: want lower case letters, digits and dashes, at most 40", d.UID)
	}
	if d.Title == "" || d.Description == "" {
		v.add("needs a title and a description")
	}
	if d.Range <= 0 || d.Refresh <= 0 || d.MinStep <= 0 {
		v.add("range, refresh and minimum step must be positive")
	}
	d.validateVariables(v)
	ids := map[int]string{}
	for _, r := range d.Rows {
		v.claim(ids, r.ID, "row "+r.Title)
		if len(r.Panels) == 0 {
			v.add("row %q has no panels", r.Title)
		}
		for _, p := range r.Panels {
			v.claim(ids, p.ID, p.Title)
			p.validate(v)
		}
	}
	return errors.Join(v.errs...)
}

func (d Dashboard) validateVariables(v *validation) {
	names := map[string]bool{}
	for _, vr := range d.Variables {
		if names[vr.Name] {
			v.add("variable %s stands twice", vr.Name)
		}
		names[vr.Name] = true
		if (vr.Kind == Query) != (vr.Query != "") {
			v.add("variable %s: a query variable needs a query, another kind has none", vr.Name)
		}
	}
	for _, l := range d.Links {
		for _, name := range l.Variables {
			if !names[name] {
				v.add("link %q carries variable %s, which the dashboard does not have", l.Title, name)
			}
		}
	}
}

func (p Panel) validate(v *validation) {
	at := func(format string, args ...any) {
		v.add("panel %q: "+format, append([]any{p.Title}, args...)...)
	}
	if p.Width < 1 || p.Width > Columns || p.Height < 1 {
		at("%d x %d cells do not fit a grid of %d columns", p.Width, p.Height, Columns)
	}
	if !slices.Contains(Units(), p.Unit) {
		at("unit %q is not in the model's list", p.Unit)
	}
	if len(p.Thresholds) > 0 && p.Thresholds[0].From != nil {
		at("the first threshold is the base and has no value")
	}
	refs := map[string]bool{}
	for _, t := range p.Targets {
		if t.Ref == "" || refs[t.Ref] {
			at("target %q: needs a ref of its own", t.Ref)
		}
		refs[t.Ref] = true
		if t.Expr == "" {
			at("target %s has no query", t.Ref)
		}
	}
	switch vis := p.Visual.(type) {
	case nil:
		at("has no visual")
	case Text:
		if len(p.Targets) > 0 || vis.Markdown == "" {
			at("a text panel has text and no targets")
		}
	case Table:
		vis.validate(at, refs)
	default:
		if len(p.Targets) == 0 {
			at("has no targets")
		}
	}
}

func (t Table) validate(at func(string, ...any), refs map[string]bool) {
	titles := map[string]bool{}
	for _, c := range t.Columns {
		titles[c.Title] = true
		if (c.Label == "") == (c.Ref == "") {
			at("column %q shows either a label or a target", c.Title)
		}
		if c.Ref != "" && !refs[c.Ref] {
			at("column %q shows target %s, which the panel does not have", c.Title, c.Ref)
		}
	}
	if t.SortBy != "" && !titles[t.SortBy] {
		at("is sorted by %q, which is no column", t.SortBy)
	}
}

// validation collects errors under the uid of the dashboard.
type validation struct {
	prefix string
	errs   []error
}

func (v *validation) add(format string, args ...any) {
	v.errs = append(v.errs, fmt.Errorf("%s: "+format, append([]any{v.prefix}, args...)...))
}

func (v *validation) claim(ids map[int]string, id int, owner string) {
	if id <= 0 {
		v.add("%s: id %d must be positive", owner, id)
	} else if other, taken := ids[id]; taken {
		v.add("%s: id %d belongs to %s", owner, id, other)
	}
	ids[id] = owner
}
