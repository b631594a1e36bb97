package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/tailgate-otel/tailgate/gateway/route"
	"github.com/tailgate-otel/tailgate/internal/yamlkeys"
)

// Rules compiles the routes for route.Build. It is meant for a configuration that Validate found nothing wrong with.
func (c *Config) Rules() ([]route.Rule, error) {
	k := &checker{}
	rules := make([]route.Rule, len(c.Routes))
	for i := range c.Routes {
		rules[i] = compile(k, fmt.Sprintf("routes[%d]", i), &c.Routes[i])
	}
	if len(k.found) > 0 {
		return nil, fmt.Errorf("%s: %s", k.found[0].path, k.found[0].text)
	}
	return rules, nil
}

func (c *Config) checkRoutes(k *checker) {
	if len(c.Routes) == 0 {
		k.add("routes", "missing: without a route every request is answered with 404")
	}
	names := map[string]int{}
	rules := make([]route.Rule, len(c.Routes))
	for i := range c.Routes {
		r, path := &c.Routes[i], fmt.Sprintf("routes[%d]", i)
		if first, taken := names[r.Name]; taken && r.Name != "" {
			k.add(path+".name", "%q is the name of routes[%d] already", r.Name, first)
		}
		names[r.Name] = i
		rules[i] = compile(k, path, r)
		c.checkTarget(k, path, r)
		checkPlan(k, path, r, rules[i])
	}
	_, err := route.Build(rules)
	for _, conflict := range conflicts(err) {
		k.add(fmt.Sprintf("routes[%d].match", conflict.Rule), "%s", conflict.Error())
	}
}

func (c *Config) checkTarget(k *checker, path string, r *Route) {
	if r.Name == "" {
		k.add(path+".name", "missing: the name is how the admin page and the logs speak of the route")
	}
	targets := 0
	for _, given := range []bool{r.Upstream != "", len(r.Split) > 0, r.Redirect != nil} {
		if given {
			targets++
		}
	}
	switch {
	case targets == 0:
		k.add(path+".upstream", "missing: name an upstream, or give split or redirect")
	case targets > 1:
		k.add(path, "give exactly one of upstream, split and redirect")
	case r.Upstream != "":
		c.checkUpstreamName(k, path+".upstream", r.Upstream)
	case len(r.Split) > 0:
		c.checkSplit(k, path, r)
	}
	if len(r.Match.Tenants) > 0 && c.TenantHeader == "" {
		k.add(path+".match.tenants", "no request has a tenant: name the header that says it as tenant_header")
	}
	if r.Sticky == "tenant" && c.TenantHeader == "" {
		k.add(path+".sticky", "no request has a tenant: name the header that says it as tenant_header")
	}
	if r.Timeout != nil && *r.Timeout < 0 {
		k.add(path+".timeout", "must not be negative; 0s means none")
	}
}

func (c *Config) checkUpstreamName(k *checker, path, name string) {
	if _, ok := c.Upstreams[name]; !ok {
		k.add(path, "unknown upstream %q%s", name, yamlkeys.DidYouMean(name, sortedKeys(c.Upstreams)))
	}
}

func (c *Config) checkSplit(k *checker, path string, r *Route) {
	for i, s := range r.Split {
		here := fmt.Sprintf("%s.split[%d].upstream", path, i)
		c.checkUpstreamName(k, here, s.Upstream)
		if slices.ContainsFunc(r.Split[:i], func(other Share) bool { return other.Upstream == s.Upstream }) {
			k.add(here, "%q stands twice", s.Upstream)
		}
	}
	sticky, err := r.sticky()
	if err != nil {
		k.add(path+".sticky", "%s", err)
	}
	if _, err := route.NewSplit(r.shares(), sticky); err != nil {
		k.add(path+".split", "%s", err)
	}
}

// NewSplit compiles the split of a route, which must have one.
func (r *Route) NewSplit() (*route.Split, error) {
	sticky, err := r.sticky()
	if err != nil {
		return nil, fmt.Errorf("sticky: %w", err)
	}
	s, err := route.NewSplit(r.shares(), sticky)
	if err != nil {
		return nil, fmt.Errorf("split: %w", err)
	}
	return s, nil
}

func (r *Route) sticky() (route.Sticky, error) {
	if r.Sticky == "" {
		return route.Sticky{}, nil
	}
	return route.ParseSticky(r.Sticky)
}

func (r *Route) shares() []route.Share {
	out := make([]route.Share, len(r.Split))
	for i, s := range r.Split {
		out[i] = route.Share{Name: s.Upstream, Weight: s.Weight}
	}
	return out
}

func compile(k *checker, path string, r *Route) route.Rule {
	rule := route.Rule{Name: r.Name, Methods: r.Match.Methods, Tenants: r.Match.Tenants, LiteralPaths: r.LiteralPaths}
	for _, text := range r.Match.Host {
		host, err := route.ParseHost(text)
		if err != nil {
			k.add(path+".match.host", "%s", err)
		}
		rule.Hosts = append(rule.Hosts, host)
	}
	rule.Paths = compilePaths(k, path+".match", r.Match)
	for i, m := range r.Match.Methods {
		if !isToken(m) || m != strings.ToUpper(m) {
			k.add(fmt.Sprintf("%s.match.methods[%d]", path, i), "%q is not a method: methods are upper case, as in GET", m)
		}
	}
	for i, h := range r.Match.Headers {
		here := fmt.Sprintf("%s.match.headers[%d]", path, i)
		switch {
		case !isToken(h.Name):
			k.add(here+".name", "%q is not the name of a header", h.Name)
		case h.Name == "Host":
			k.add(here+".name", "the Host header is matched by match.host")
		}
		rule.Headers = append(rule.Headers, compileValue(k, here, h))
	}
	for i, q := range r.Match.Query {
		here := fmt.Sprintf("%s.match.query[%d]", path, i)
		if q.Name == "" {
			k.add(here+".name", "missing: the name of the query parameter")
		}
		rule.Query = append(rule.Query, compileValue(k, here, q))
	}
	return rule
}

// compilePaths turns path into one pattern and prefix into two: the prefix itself and everything below it.
func compilePaths(k *checker, path string, m Match) []route.Pattern {
	if (m.Path == "") == (m.Prefix == "") {
		k.add(path, "give exactly one of path (a pattern, as in /api/items/{id}) and prefix (a path and everything below it)")
		return nil
	}
	key, texts := "path", []string{m.Path}
	if m.Prefix != "" {
		base := strings.TrimSuffix(m.Prefix, "/")
		if key, texts = "prefix", []string{base + "/{rest...}"}; base != "" {
			texts = append(texts, base)
		}
	}
	var patterns []route.Pattern
	for _, text := range texts {
		p, err := route.ParsePattern(text)
		if err != nil {
			k.add(path+"."+key, "%s", err)
			return nil
		}
		patterns = append(patterns, p)
	}
	return patterns
}

func compileValue(k *checker, path string, m ValueMatch) route.Condition {
	c := route.Condition{Name: m.Name, Not: m.Not}
	given := 0
	if m.Value != nil {
		c.Text = *m.Value
		given++
	}
	if m.Prefix != nil {
		c.Test, c.Text = route.Starts, *m.Prefix
		given++
	}
	if m.Present != nil {
		c.Test, c.Not = route.Present, m.Not == *m.Present
		given++
	}
	if m.Regex != nil {
		given++
		re, err := regexp.Compile(*m.Regex)
		if err != nil {
			k.add(path+".regex", "%s", err)
			return c
		}
		c.Test, c.Regex = route.Matches, re
	}
	if given != 1 {
		k.add(path, "give exactly one of value, prefix, regex and present")
	}
	return c
}

func conflicts(err error) []*route.ConflictError {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var out []*route.ConflictError
	for _, e := range joined.Unwrap() {
		var c *route.ConflictError
		if errors.As(e, &c) {
			out = append(out, c)
		}
	}
	return out
}
