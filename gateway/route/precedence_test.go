package route_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/gateway/route"
)

// rulebook reads rules as a person writes them: name, then host and path in one, then what else is asked for.
//
//	canary  shop.example/items/{id}  GET,HEAD  tenant:gold  X-Canary=1  ?v=2  not X-Old  ?v=2*  X-Age~^[0-9]+$  literal
func rulebook(t testing.TB, text string) *route.Table {
	t.Helper()
	table, err := route.Build(parseRules(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func parseRules(t testing.TB, text string) []route.Rule {
	t.Helper()
	var rules []route.Rule
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		host, path, _ := strings.Cut(fields[1], "/")
		p, err := route.ParsePattern("/" + path)
		if err != nil {
			t.Fatal(err)
		}
		r := route.Rule{Name: fields[0], Paths: []route.Pattern{p}}
		for h := range strings.SplitSeq(host, ",") {
			if h, err = route.ParseHost(h); err != nil {
				t.Fatal(err)
			}
			r.Hosts = append(r.Hosts, h)
		}
		not := false
		for _, f := range fields[2:] {
			parameter, isQuery := strings.CutPrefix(f, "?")
			tenant, isTenant := strings.CutPrefix(f, "tenant:")
			switch {
			case f == "literal":
				r.LiteralPaths = true
			case f == "not":
				not = true
				continue
			case isTenant:
				r.Tenants = append(r.Tenants, tenant)
			case isQuery:
				r.Query = append(r.Query, condition(parameter, not))
			case f == strings.ToUpper(f) && !strings.ContainsAny(f, "=-"):
				r.Methods = strings.Split(f, ",")
			default:
				r.Headers = append(r.Headers, condition(f, not))
			}
			not = false
		}
		rules = append(rules, r)
	}
	return rules
}

func condition(text string, not bool) route.Condition {
	name, pattern, isRegex := strings.Cut(text, "~")
	if isRegex {
		return route.Condition{Name: name, Test: route.Matches, Regex: regexp.MustCompile(pattern), Not: not}
	}
	name, value, hasValue := strings.Cut(text, "=")
	start, isStart := strings.CutSuffix(value, "*")
	switch {
	case isStart:
		return route.Condition{Name: name, Test: route.Starts, Text: start, Not: not}
	case hasValue:
		return route.Condition{Name: name, Text: value, Not: not}
	}
	return route.Condition{Name: name, Test: route.Present, Not: not}
}

// request reads "GET shop.example/items/7?v=2 tenant:gold X-Canary=1".
func request(text string) *route.Request {
	fields := strings.Fields(text)
	q := &route.Request{Method: fields[0], Header: http.Header{}}
	target, query, _ := strings.Cut(fields[1], "?")
	q.Query = query
	host, path, _ := strings.Cut(target, "/")
	q.Host, q.Path = host, "/"+path
	for _, f := range fields[2:] {
		if tenant, ok := strings.CutPrefix(f, "tenant:"); ok {
			q.Tenant = tenant
			continue
		}
		name, value, _ := strings.Cut(f, "=")
		q.Header.Add(name, value)
	}
	return q
}

func name(table *route.Table, i int) string {
	if i == route.None {
		return "-"
	}
	return table.Rule(i).Name
}

// TestPrecedence has a pair of rules or more for each step of the rule that the package comment states. They are built
// in the order given and in the opposite one.
func TestPrecedence(t *testing.T) {
	const rules = `
		anything     */{rest...}
		below        *.shop.example/{rest...}
		further      *.eu.shop.example/{rest...}
		exact        a.eu.shop.example,b.shop.example/{rest...}
		exact-item   a.eu.shop.example/items/{id}
		seven        a.eu.shop.example/items/7
		sevens-tail  a.eu.shop.example/items/7/{rest...}
		any-tail     a.eu.shop.example/{kind}/7/tail
		get          a.eu.shop.example/m           GET
		all          a.eu.shop.example/m
		one          a.eu.shop.example/m           X-A=1
		gold         a.eu.shop.example/m           tenant:gold
		two          a.eu.shop.example/m           X-A=1   ?v=2
		one-get      a.eu.shop.example/m           X-A=1   GET
		starts       a.eu.shop.example/c/starts    X-A=ab*
		regex        a.eu.shop.example/c/regex     X-A~^[0-9]+$
		there        a.eu.shop.example/c/there     X-A
		absent       a.eu.shop.example/c/absent    not X-A
		not-one      a.eu.shop.example/c/other     not X-A=1
		page         a.eu.shop.example/q           ?page
		first        a.eu.shop.example/q           ?page=1
		digits       a.eu.shop.example/q/digits    ?page~^[0-9]+$
		unpaged      a.eu.shop.example/q/none      not ?page
	`
	forward := rulebook(t, rules)
	lines := strings.Split(strings.TrimSpace(rules), "\n")
	slices.Reverse(lines)
	backward := rulebook(t, strings.Join(lines, "\n"))
	for _, tc := range []struct{ request, want string }{
		{"GET other.example/x", "anything"},
		{"GET shop.example/x", "anything"}, // *. is for names below, not the name itself
		{"GET c.shop.example/x", "below"},
		{"GET x.eu.shop.example/x", "further"},
		{"GET y.x.eu.shop.example/x", "further"},
		{"GET b.shop.example/x", "exact"},
		{"GET A.EU.Shop.Example.:8080/x", "exact"},
		{"GET a.eu.shop.example/items/8", "exact-item"},
		{"GET a.eu.shop.example/items/7", "seven"},
		{"GET a.eu.shop.example/items/%37", "seven"},
		{"GET a.eu.shop.example/items/7/", "sevens-tail"},
		{"GET a.eu.shop.example/items/7/tail", "sevens-tail"}, // the literal on the left decides
		{"GET a.eu.shop.example/other/7/tail", "any-tail"},
		{"GET a.eu.shop.example/items", "exact"},
		{"GET a.eu.shop.example/items/", "exact"}, // {id} is not empty
		{"GET a.eu.shop.example/items/8/9", "exact"},
		{"GET a.eu.shop.example/m", "get"},
		{"PUT a.eu.shop.example/m", "all"},
		{"PUT a.eu.shop.example/m X-A=1", "one"},
		{"GET a.eu.shop.example/m X-A=1", "one-get"},
		{"GET a.eu.shop.example/m?v=2 X-A=1", "two"}, // more conditions come before a method
		{"GET a.eu.shop.example/m?v=2 X-A=1 tenant:gold", "gold"},
		{"GET a.eu.shop.example/m?v=2 X-A=1 tenant:iron", "two"},
		{"GET a.eu.shop.example/c/starts X-A=abc", "starts"},
		{"GET a.eu.shop.example/c/starts X-A=a", "exact"},
		{"GET a.eu.shop.example/c/starts X-A=a X-A=ab", "starts"}, // one value is enough
		{"GET a.eu.shop.example/c/regex X-A=12", "regex"},
		{"GET a.eu.shop.example/c/regex X-A=1x", "exact"},
		{"GET a.eu.shop.example/c/there X-A=", "there"},
		{"GET a.eu.shop.example/c/there", "exact"},
		{"GET a.eu.shop.example/c/absent", "absent"},
		{"GET a.eu.shop.example/c/absent X-A=", "exact"},
		{"GET a.eu.shop.example/c/other", "not-one"},
		{"GET a.eu.shop.example/c/other X-A=2", "not-one"},
		{"GET a.eu.shop.example/c/other X-A=2 X-A=1", "exact"},
		{"GET a.eu.shop.example/q?page=2", "page"},
		{"GET a.eu.shop.example/q?x=%&p%61ge=2", "page"},
		{"GET a.eu.shop.example/q/digits?page=12", "digits"},
		{"GET a.eu.shop.example/q/digits?page=x", "exact"},
		{"GET a.eu.shop.example/q/none?pages=1", "unpaged"},
		{"GET a.eu.shop.example/q/none?a=1&page", "exact"},
		{"OPTIONS *", "-"},
	} {
		q := request(tc.request)
		if q.Host == "*" {
			q.Host, q.Path = "a.eu.shop.example", "*"
		}
		for _, table := range []*route.Table{forward, backward} {
			if got, err := table.Match(q); err != nil || name(table, got) != tc.want {
				t.Errorf("%s: got %s, %v; want %s", tc.request, name(table, got), err, tc.want)
			}
		}
	}
	// The order of the file decides last: first and page ask for as much.
	if got, _ := forward.Match(request("GET a.eu.shop.example/q?page=1")); name(forward, got) != "page" {
		t.Errorf("forward: got %s, want page", name(forward, got))
	}
	if got, _ := backward.Match(request("GET a.eu.shop.example/q?page=1")); name(backward, got) != "first" {
		t.Errorf("backward: got %s, want first", name(backward, got))
	}
}

func TestConflicts(t *testing.T) {
	for _, tc := range []struct {
		rules string
		clash bool
	}{
		{"a */a/{x} GET,PUT\n b */a/{y} PUT,GET", true},
		{"a */a/{x} GET,GET\n b */a/{x} GET", true},
		{"a x.example,y.example/a\n b z.example,y.example/a", true},
		{"a */a X-A=1 ?q\n b */a ?q X-A=1", true},
		{"a */a X-A=1\n b */a not X-A=1", false},
		{"a */a X-A\n b */a ?X-A", false},
		{"a */a tenant:t\n b */a", false},
		{"a */a/{x}\n b */a/{x...}", false},
		{"a x.example,x.example/a", false}, // twice in one rule harms nobody
	} {
		_, err := route.Build(parseRules(t, tc.rules))
		if clash := err != nil; clash != tc.clash {
			t.Errorf("%q: got %v, want a conflict: %v", tc.rules, err, tc.clash)
		}
	}
}

func TestExplain(t *testing.T) {
	table := rulebook(t, `
		all     */items/{id}
		get     */items/{id}   GET
		canary  */items/{id}   X-Canary=1
		beta    */items/{id}   ?beta
		gold    */items/{id}   tenant:gold,silver
		post    shop.example/items/{id}   POST
		rest    */{rest...}    GET
		put     */put          PUT
		delete  */put          DELETE
	`)
	for _, tc := range []struct{ request, want string }{
		{"GET shop.example/items/7", `
			post    no   method GET is not POST
			gold    no   tenant "" is not gold,silver
			canary  no   header condition does not hold: X-Canary=1
			beta    no   query condition does not hold: beta
			get     yes  the most specific of those that fit
			all     yes  comes after "get": it names no method
			rest    yes  comes after "get": its path is less specific`},
		{"POST shop.example/items/7?beta X-Canary=1", `
			post    yes  the most specific of those that fit
			gold    no   tenant "" is not gold,silver
			canary  yes  comes after "post": its host is less specific
			beta    yes  comes after "post": its host is less specific
			get     no   method POST is not GET
			all     yes  comes after "post": its host is less specific
			rest    no   method POST is not GET`},
		{"PUT shop.example/items/7?beta X-Canary=1", `
			post    no   method PUT is not POST
			gold    no   tenant "" is not gold,silver
			canary  yes  the most specific of those that fit
			beta    yes  comes after "canary": it stands further down
			get     no   method PUT is not GET
			all     yes  comes after "canary": it has fewer conditions
			rest    no   method PUT is not GET`},
		{"POST shop.example/put", `
			put     no   method POST is not PUT
			delete  no   method POST is not DELETE
			rest    no   method POST is not GET
			allowed DELETE GET PUT`},
		{"GET shop.example/items/a%2Fb", `
			post    no   method GET is not POST
			gold    no   tenant "" is not gold,silver
			canary  no   header condition does not hold: X-Canary=1
			beta    no   query condition does not hold: beta
			get     yes  the most specific of those that fit
			all     yes  comes after "get": it names no method
			rest    yes  comes after "get": its path is less specific
			refused ` + route.ErrAmbiguous.Error()},
	} {
		e := table.Explain(request(tc.request))
		var got strings.Builder
		for _, c := range e.Considered {
			fits := "no"
			if c.Fits {
				fits = "yes"
			}
			fmt.Fprintf(&got, "\n\t\t\t%-7s %-4s %s", table.Rule(c.Rule).Name, fits, c.Why)
		}
		if e.Refused != "" {
			got.WriteString("\n\t\t\trefused " + e.Refused)
		} else if e.Winner == route.None {
			got.WriteString("\n\t\t\tallowed " + strings.Join(e.Allowed, " "))
		}
		if got.String() != tc.want {
			t.Errorf("%s: got%s\nwant%s", tc.request, got.String(), tc.want)
		}
	}
}

func TestAllowed(t *testing.T) {
	table := rulebook(t, "a */a PUT\n b */{x} GET\n c */b/c\n d */a PATCH X-A")
	for ask, want := range map[string][]string{
		"POST h/a": {"GET", "PUT"}, "POST h/a X-A=": {"GET", "PATCH", "PUT"}, "POST h/x/y": {},
	} {
		if got := table.Allowed(request(ask)); !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", ask, got, want)
		}
	}
}
