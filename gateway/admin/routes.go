package admin

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tailgate-otel/tailgate/gateway/config"
	"github.com/tailgate-otel/tailgate/gateway/proxy"
	"github.com/tailgate-otel/tailgate/gateway/route"
)

// Route is one line of the route table.
type Route struct {
	Name     string   `json:"name"`
	Host     string   `json:"host"`
	Path     string   `json:"path"`
	Methods  []string `json:"methods,omitempty"`
	Tenants  []string `json:"tenants,omitempty"`
	Headers  []string `json:"headers,omitempty"`
	Query    []string `json:"query,omitempty"`
	Upstream string   `json:"upstream"` // shop, or shop:95,shop-next:5, or redirect:308:https://shop.example
	Sticky   string   `json:"sticky,omitempty"`
	Changes  []string `json:"changes,omitempty"` // to path, host and headers
	Timeout  string   `json:"timeout"`
}

// Conditions are what a request has to have beside host, path and method.
func (r Route) Conditions() []string {
	var out []string
	for _, t := range r.Tenants {
		out = append(out, "tenant="+t)
	}
	out = append(out, r.Headers...)
	for _, q := range r.Query {
		out = append(out, "?"+q)
	}
	return out
}

// Routes lists the routes of a snapshot in the order of its file.
func Routes(snap *proxy.Snapshot) []Route {
	out := make([]Route, len(snap.Routes))
	for i, r := range snap.Routes {
		rule, c := snap.Table.Rule(i), &snap.Config.Routes[i]
		out[i] = Route{
			Name: r.Name, Host: strings.Join(rule.Hosts, ","), Path: r.Template, Methods: rule.Methods, Tenants: rule.Tenants,
			Headers: words(rule.Headers), Query: words(rule.Query), Upstream: target(c), Sticky: c.Sticky, Changes: changes(c), Timeout: r.Timeout.String(),
		}
		if out[i].Host == "" {
			out[i].Host = "*"
		}
	}
	return out
}

func words(conditions []route.Condition) []string {
	var out []string
	for _, c := range conditions {
		out = append(out, c.String())
	}
	return out
}

// target is where the requests of a route go.
func target(c *config.Route) string {
	switch {
	case c.Redirect != nil:
		return redirectTarget(c.Redirect)
	case len(c.Split) > 0:
		var parts []string
		for _, s := range c.Split {
			parts = append(parts, fmt.Sprintf("%s:%d", s.Upstream, s.Weight))
		}
		return strings.Join(parts, ",")
	}
	return c.Upstream
}

func redirectTarget(r *config.Redirect) string {
	status := cmp.Or(r.Status, http.StatusTemporaryRedirect)
	if r.Scheme == "" && r.Host == "" && r.Port == 0 {
		return fmt.Sprintf("redirect:%d", status)
	}
	port := ""
	if r.Port != 0 {
		port = fmt.Sprintf(":%d", r.Port)
	}
	return fmt.Sprintf("redirect:%d:%s://%s%s", status, cmp.Or(r.Scheme, "{scheme}"), cmp.Or(r.Host, "{host}"), port)
}

// changes lists what a route does to what passes, as the file writes it. Values of headers may be secrets: only their
// names are shown.
func changes(c *config.Route) []string {
	var out []string
	add := func(key, value string) {
		if value != "" {
			out = append(out, key+": "+value)
		}
	}
	add("strip_prefix", c.StripPrefix)
	add("replace_prefix", c.ReplacePrefix)
	add("rewrite", c.Rewrite)
	add("rewrite_host", c.RewriteHost)
	for _, e := range []struct {
		key   string
		edits config.HeaderEdits
	}{{"request_headers", c.RequestHeaders}, {"response_headers", c.ResponseHeaders}} {
		add(e.key+".remove", strings.Join(e.edits.Remove, ","))
		add(e.key+".set", strings.Join(slices.Sorted(maps.Keys(e.edits.Set)), ","))
		add(e.key+".add", strings.Join(slices.Sorted(maps.Keys(e.edits.Add)), ","))
	}
	return out
}

// explanation is a route.Explanation with names.
type explanation struct {
	Method     string       `json:"method"`
	Host       string       `json:"host"`
	Path       string       `json:"path"`
	Outcome    string       `json:"outcome"`
	Considered []considered `json:"considered"` // the most specific first
}

type considered struct {
	Name string `json:"name"`
	Path string `json:"path"`
	Fits bool   `json:"fits"`
	Why  string `json:"why"`
}

// explain answers for the request that the query describes: url, method (GET), header=Name:value as often as needed,
// tenant.
func explain(w http.ResponseWriter, r *http.Request, snap *proxy.Snapshot) {
	form := r.URL.Query()
	u, err := url.Parse(form.Get("url"))
	if err != nil || u.Path == "" {
		text(w, http.StatusBadRequest, "say which request is meant, as in /routes/explain?method=GET&url=http://shop.example/items/7&header=X-Canary:1&tenant=gold\n")
		return
	}
	q := &route.Request{
		Method: cmp.Or(form.Get("method"), http.MethodGet), Host: u.Host, Path: u.EscapedPath(), Query: u.RawQuery, Header: http.Header{}, Tenant: form.Get("tenant"),
	}
	for _, line := range form["header"] {
		name, value, _ := strings.Cut(line, ":")
		q.Header.Add(name, strings.TrimSpace(value))
	}
	reply(w, named(snap, q, snap.Table.Explain(q)))
}

func named(snap *proxy.Snapshot, q *route.Request, e route.Explanation) explanation {
	out := explanation{Method: q.Method, Host: e.Host, Path: e.Path, Considered: []considered{}}
	switch {
	case e.Refused != "":
		out.Outcome = "400: " + e.Refused
	case e.Winner != route.None:
		out.Outcome = "route " + snap.Routes[e.Winner].Name
	case len(e.Allowed) > 0:
		out.Outcome = "405: allowed are " + strings.Join(e.Allowed, ", ")
	default:
		out.Outcome = "404: no route fits"
	}
	for _, c := range e.Considered {
		r := &snap.Routes[c.Rule]
		out.Considered = append(out.Considered, considered{Name: r.Name, Path: r.Template, Fits: c.Fits, Why: c.Why})
	}
	return out
}
