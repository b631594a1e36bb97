package route_test

import (
	"fmt"
	"net/http"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/route"
)

// prefixes is the table of the published comparison: 100 hosts with 100 prefixes each.
func prefixes(t testing.TB) []route.Rule {
	return tenThousand(t, func(i int) ([]string, route.Rule) {
		base := fmt.Sprintf("/api/v1/service%d", i)
		return []string{base + "/{rest...}", base}, route.Rule{}
	})
}

// mixed has parameters and conditions as well: per service an item, its parts, and a canary for clients that ask for it.
func mixed(t testing.TB) []route.Rule {
	return tenThousand(t, func(i int) ([]string, route.Rule) {
		base := fmt.Sprintf("/api/v1/service%d", i/4)
		switch i % 4 {
		case 0:
			return []string{base + "/{id}"}, route.Rule{Methods: []string{http.MethodGet, http.MethodHead}}
		case 1:
			return []string{base + "/{id}/parts/{part}"}, route.Rule{Methods: []string{http.MethodGet}}
		case 2:
			return []string{base + "/{id}"}, route.Rule{Headers: []route.Condition{{Name: "X-Canary", Text: "1"}}}
		default:
			return []string{base + "/{id}"}, route.Rule{Query: []route.Condition{{Name: "preview", Test: route.Present}}}
		}
	})
}

func tenThousand(t testing.TB, rule func(i int) ([]string, route.Rule)) []route.Rule {
	t.Helper()
	var rules []route.Rule
	for h := range 100 {
		for i := range 100 {
			texts, r := rule(i)
			r.Name, r.Hosts = fmt.Sprintf("h%d-%d", h, i), []string{fmt.Sprintf("h%d.example", h)}
			for _, text := range texts {
				p, err := route.ParsePattern(text)
				if err != nil {
					t.Fatal(err)
				}
				r.Paths = append(r.Paths, p)
			}
			rules = append(rules, r)
		}
	}
	return rules
}

var largeTables = []struct {
	name  string
	rules func(testing.TB) []route.Rule
	path  string
	query string
}{
	{"prefixes", prefixes, "/api/v1/service77/42/parts", ""},
	{"mixed", mixed, "/api/v1/service17/42", "sort=name&page=2"},
}

func TestMatchAllocatesNothing(t *testing.T) {
	for _, tc := range largeTables {
		table, err := route.Build(tc.rules(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{tc.path, "/api/v1/nowhere/42", "/.well-known/x", "/a//b"} {
			q := &route.Request{Method: "GET", Host: "h55.example:8080", Path: path, Query: tc.query, Header: http.Header{"Accept": {"*/*"}}}
			if n := testing.AllocsPerRun(1000, func() { _, _ = table.Match(q) }); n != 0 {
				t.Errorf("%s, %s: %v allocations per match, want none", tc.name, path, n)
			}
		}
	}
}

// TestBuildOfTenThousand keeps a rebuild within the 50 ms of CPU that a reload may take, with room for a slow machine
// and the race detector, and prints what it really takes.
func TestBuildOfTenThousand(t *testing.T) {
	for _, tc := range largeTables {
		rules := tc.rules(t)
		before, start := heap(), cpu(t)
		table, err := route.Build(rules)
		if err != nil {
			t.Fatal(err)
		}
		took := cpu(t) - start
		size := heap() - before
		t.Logf("%s: %d rules, built in %s of CPU, %.1f MiB", tc.name, table.Len(), took, float64(size)/(1<<20))
		if took > time.Second || size > 32<<20 {
			t.Errorf("%s: built in %s, %d bytes; want less than 1s and 32 MiB", tc.name, took, size)
		}
		runtime.KeepAlive(rules)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkMatch(b *testing.B) {
	for _, tc := range largeTables {
		b.Run("routes=10000/"+tc.name, func(b *testing.B) {
			table, err := route.Build(tc.rules(b))
			if err != nil {
				b.Fatal(err)
			}
			q := &route.Request{Method: "GET", Host: "h55.example:8080", Path: tc.path, Query: tc.query, Header: http.Header{"Accept": {"*/*"}}}
			b.ReportAllocs()
			for b.Loop() {
				if i, err := table.Match(q); i == route.None {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBuild(b *testing.B) {
	for _, tc := range largeTables {
		b.Run("routes=10000/"+tc.name, func(b *testing.B) {
			rules := tc.rules(b)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := route.Build(rules); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
