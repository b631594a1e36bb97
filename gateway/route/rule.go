package route

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Rule is one route: it matches a request whose host, path, method and headers all fit.
type Rule struct {
	Name    string
	Host    string    // exact, *.example.com, or empty or * for any host
	Paths   []Pattern // one of them has to match
	Methods []string  // upper case; none for any method
	Headers []Header  // all of them have to match
}

// Header is a predicate on the values of one header. Exactly one of Value, Regex and Present decides.
type Header struct {
	Name    string         // canonical
	Value   string         // one value equals it
	Regex   *regexp.Regexp // one value matches it
	Present *bool          // there is a value, or there is none
}

// Matches says whether the headers satisfy the predicate.
func (p Header) Matches(h http.Header) bool {
	values := h[p.Name]
	if p.Present != nil {
		return *p.Present == (len(values) > 0)
	}
	for _, v := range values {
		if p.Regex != nil && p.Regex.MatchString(v) || p.Regex == nil && v == p.Value {
			return true
		}
	}
	return false
}

func (p Header) String() string {
	switch {
	case p.Present != nil && !*p.Present:
		return "no " + p.Name
	case p.Present != nil:
		return p.Name
	case p.Regex != nil:
		return p.Name + "~" + p.Regex.String()
	}
	return p.Name + "=" + p.Value
}

// ParseHost checks a host pattern and returns it as the table keeps it: lower case, empty for any host.
func ParseHost(host string) (string, error) {
	host = strings.ToLower(host)
	if host == "" || host == "*" {
		return "", nil
	}
	name := strings.TrimPrefix(host, "*.")
	if strings.ContainsAny(name, "*/ ") || name == "" {
		return "", fmt.Errorf("host %q: want a name, *.example.com for all names below one, or * for any", host)
	}
	if normalHost(name) != strings.Trim(name, "[]") {
		return "", fmt.Errorf("host %q: write it without port and without a dot at the end", host)
	}
	return strings.Trim(host, "[]"), nil
}

// identity is equal for two rules that match the same requests through the given pattern.
func (r Rule) identity(p Pattern) string {
	methods := slices.Sorted(slices.Values(r.Methods))
	var headers []string
	for _, h := range r.Headers {
		headers = append(headers, h.String())
	}
	slices.Sort(headers)
	return strings.Join([]string{r.Host, p.shape(), strings.Join(methods, ","), strings.Join(headers, ",")}, "\x00")
}

// specificity of what a rule asks for beyond host and path: more header predicates first, then a method list before none.
func (r Rule) specificity() int {
	n := 2 * len(r.Headers)
	if len(r.Methods) > 0 {
		n++
	}
	return n
}

func (r Rule) accepts(method string) bool {
	return len(r.Methods) == 0 || slices.Contains(r.Methods, method)
}

func (r Rule) acceptsHeaders(h http.Header) bool {
	for i := range r.Headers {
		if !r.Headers[i].Matches(h) {
			return false
		}
	}
	return true
}
