package config

import (
	"errors"
	"fmt"
	"regexp"
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
		checkRewrite(k, path, r, rules[i])
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
	if _, ok := c.Upstreams[r.Upstream]; !ok {
		k.add(path+".upstream", "unknown upstream %q%s", r.Upstream, yamlkeys.DidYouMean(r.Upstream, sortedKeys(c.Upstreams)))
	}
	if r.Timeout != nil && *r.Timeout < 0 {
		k.add(path+".timeout", "must not be negative; 0s means none")
	}
}

func compile(k *checker, path string, r *Route) route.Rule {
	rule := route.Rule{Name: r.Name, Methods: r.Match.Methods}
	host, err := route.ParseHost(r.Match.Host)
	if err != nil {
		k.add(path+".match.host", "%s", err)
	}
	rule.Host = host
	rule.Paths = compilePaths(k, path+".match", r.Match)
	for i, m := range r.Match.Methods {
		if !isToken(m) || m != strings.ToUpper(m) {
			k.add(fmt.Sprintf("%s.match.methods[%d]", path, i), "%q is not a method: methods are upper case, as in GET", m)
		}
	}
	for i, h := range r.Match.Headers {
		rule.Headers = append(rule.Headers, compileHeader(k, fmt.Sprintf("%s.match.headers[%d]", path, i), h))
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

func compileHeader(k *checker, path string, h HeaderMatch) route.Header {
	out := route.Header{Name: h.Name, Present: h.Present}
	given := 0
	for _, is := range []bool{h.Value != nil, h.Regex != nil, h.Present != nil} {
		if is {
			given++
		}
	}
	switch {
	case !isToken(h.Name):
		k.add(path+".name", "%q is not the name of a header", h.Name)
	case h.Name == "Host":
		k.add(path+".name", "the Host header is matched by match.host")
	case given != 1:
		k.add(path, "give exactly one of value, regex and present")
	}
	if h.Value != nil {
		out.Value = *h.Value
	}
	if h.Regex != nil {
		re, err := regexp.Compile(*h.Regex)
		if err != nil {
			k.add(path+".regex", "%s", err)
		}
		out.Regex = re
	}
	return out
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
