package route

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Rule is one route: it matches a request for which everything that is given here fits.
type Rule struct {
	Name    string
	Hosts   []string    // as ParseHost returns them; none for any host
	Paths   []Pattern   // one of them has to match
	Methods []string    // upper case; none for any method
	Tenants []string    // none for any tenant, and for requests without one
	Headers []Condition // all of them have to hold
	Query   []Condition // all of them have to hold
	// LiteralPaths says that what is behind this rule takes a path as it stands: it does not take %2F for a slash, //
	// for /, and so on. Then paths pass that would be refused as ambiguous.
	LiteralPaths bool
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

// hosts lists the hosts, with "" where there are none.
func (r *Rule) hosts() []string {
	if len(r.Hosts) == 0 {
		return []string{""}
	}
	return r.Hosts
}

// asks is equal for two rules that ask for the same beyond host and path.
func (r *Rule) asks() string {
	if len(r.Methods)+len(r.Tenants)+len(r.Headers)+len(r.Query) == 0 {
		return ""
	}
	var b strings.Builder
	list := func(words []string) {
		slices.Sort(words)
		for _, w := range slices.Compact(words) {
			b.WriteString(strconv.Quote(w))
		}
		b.WriteByte('\n')
	}
	list(slices.Clone(r.Methods))
	list(slices.Clone(r.Tenants))
	list(texts(r.Headers))
	list(texts(r.Query))
	return b.String()
}

func texts(cs []Condition) []string {
	out := make([]string, len(cs))
	for i, c := range cs {
		out[i] = c.String()
	}
	return out
}

// specificity of what a rule asks for beyond host and path: a tenant before all, then each condition, then a method. Two
// rules with as many conditions as there could be in a file do not reach the step above.
func (r *Rule) specificity() int {
	n := 2 * (len(r.Headers) + len(r.Query))
	if len(r.Methods) > 0 {
		n++
	}
	if len(r.Tenants) > 0 {
		n += 1 << 30
	}
	return n
}

// fits says whether the rule accepts a request whose host and path fit, leaving the method aside.
func (r *Rule) fits(q *Request) bool {
	if len(r.Tenants) > 0 && !slices.Contains(r.Tenants, q.Tenant) {
		return false
	}
	for i := range r.Headers {
		if !r.Headers[i].inHeader(q.Header) {
			return false
		}
	}
	for i := range r.Query {
		if !r.Query[i].inQuery(q.Query) {
			return false
		}
	}
	return true
}

func (r *Rule) fitsMethod(method string) bool {
	return len(r.Methods) == 0 || slices.Contains(r.Methods, method)
}
