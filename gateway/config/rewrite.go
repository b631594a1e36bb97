package config

import (
	"regexp"
	"slices"
	"strings"

	"github.com/tailgate-otel/tailgate/gateway/route"
	"github.com/tailgate-otel/tailgate/internal/yamlkeys"
)

// placeholder is {name} or {name...} in a rewrite.
var placeholder = regexp.MustCompile(`\{([^{}]*?)(?:\.\.\.)?\}`)

func checkRewrite(k *checker, path string, r *Route, rule route.Rule) {
	matched, base := r.Match.Path+r.Match.Prefix, strings.TrimSuffix(r.StripPrefix, "/")
	switch {
	case r.Rewrite != "" && r.StripPrefix != "":
		k.add(path, "give one of rewrite and strip_prefix, not both")
	case r.StripPrefix != "" && (!strings.HasPrefix(r.StripPrefix, "/") || strings.ContainsAny(r.StripPrefix, "{}%")):
		k.add(path+".strip_prefix", "%q: want a plain path that starts with a slash", r.StripPrefix)
	case r.StripPrefix != "" && matched != base && !strings.HasPrefix(matched, base+"/"):
		k.add(path+".strip_prefix", "%q is not how the route's path starts, so it would never be cut off", r.StripPrefix)
	case r.Rewrite != "" && !strings.HasPrefix(r.Rewrite, "/"):
		k.add(path+".rewrite", "%q must start with a slash", r.Rewrite)
	case r.Rewrite != "" && len(rule.Paths) > 0:
		checkPlaceholders(k, path+".rewrite", r.Rewrite, rule.Paths[0].Names())
	}
}

func checkPlaceholders(k *checker, path, text string, names []string) {
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(names, m[1]) {
			k.add(path, "{%s} is not a wildcard of the route's path%s", m[1], yamlkeys.DidYouMean(m[1], names))
		}
	}
	if strings.ContainsAny(placeholder.ReplaceAllString(text, ""), "{}?#") {
		k.add(path, "%q: want a path, with {name} for a wildcard of the route's path", text)
	}
}

// Rewriter returns the function from the escaped path of a request to the one that goes upstream, or nil when the route
// leaves paths alone. rule is what Rules made of the route.
func (r *Route) Rewriter(rule route.Rule) func(escapedPath string) string {
	switch {
	case r.StripPrefix != "":
		return stripper(strings.Count(strings.TrimSuffix(r.StripPrefix, "/"), "/"))
	case r.Rewrite != "":
		return template(r.Rewrite, rule.Paths[0])
	}
	return nil
}

// stripper cuts segments by number, not by text: a client may have percent-encoded them.
func stripper(segments int) func(string) string {
	return func(path string) string {
		for range segments {
			slash := strings.IndexByte(path[1:], '/')
			if slash < 0 {
				return "/"
			}
			path = path[1+slash:]
		}
		return path
	}
}

func template(text string, p route.Pattern) func(string) string {
	var literals []string
	var wildcards []int // wildcards[i] follows literals[i]
	end := 0
	for _, m := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		literals = append(literals, text[end:m[0]])
		wildcards = append(wildcards, slices.Index(p.Names(), text[m[2]:m[3]]))
		end = m[1]
	}
	tail := text[end:]
	return func(path string) string {
		values := p.Values(path)
		var b strings.Builder
		for i, l := range literals {
			b.WriteString(l)
			if w := wildcards[i]; w >= 0 && w < len(values) {
				b.WriteString(values[w])
			}
		}
		b.WriteString(tail)
		return b.String()
	}
}
