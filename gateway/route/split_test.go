package route_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/gateway/route"
)

func split(t testing.TB, sticky string, shares ...route.Share) *route.Split {
	t.Helper()
	var by route.Sticky
	if sticky != "" {
		var err error
		if by, err = route.ParseSticky(sticky); err != nil {
			t.Fatal(err)
		}
	}
	s, err := route.NewSplit(shares, by)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSplitKeepsItsWeights counts, with keys and without.
func TestSplitKeepsItsWeights(t *testing.T) {
	shares := []route.Share{{Name: "stable", Weight: 90}, {Name: "off", Weight: 0}, {Name: "canary", Weight: 9}, {Name: "next", Weight: 1}}
	const n = 100_000
	for _, sticky := range []string{"", "tenant"} {
		s, r, got := split(t, sticky, shares...), rand.New(rand.NewPCG(1, 2)), make([]int, len(shares))
		for i := range n {
			got[s.Pick(&route.Request{Tenant: fmt.Sprint("tenant-", i)}, r.Uint64())]++
		}
		for i, share := range shares {
			p := float64(share.Weight) / 100
			if off := math.Abs(float64(got[i]) - n*p); off > 4*math.Sqrt(n*p*(1-p)) { // four standard deviations
				t.Errorf("sticky %q: %s got %d of %d, want about %.0f", sticky, share.Name, got[i], n, n*p)
			}
		}
	}
}

// TestSplitMovesOnlyWhatItMust grows the canary and adds a target: keys move there and nowhere else.
func TestSplitMovesOnlyWhatItMust(t *testing.T) {
	a, b, c := route.Share{Name: "a", Weight: 80}, route.Share{Name: "b", Weight: 15}, route.Share{Name: "c", Weight: 5}
	before := split(t, "client_ip", a, b, c)
	for _, tc := range []struct {
		name  string
		after []route.Share
		to    string
	}{
		{"c grows", []route.Share{a, b, {Name: "c", Weight: 40}}, "c"},
		{"d comes", []route.Share{a, b, c, {Name: "d", Weight: 10}}, "d"},
		{"the order changes", []route.Share{c, a, b}, ""},
		{"weights keep their ratios", []route.Share{{Name: "a", Weight: 16}, {Name: "b", Weight: 3}, {Name: "c", Weight: 1}}, ""},
	} {
		after, moved := split(t, "client_ip", tc.after...), 0
		for i := range 20_000 {
			q := &route.Request{ClientIP: fmt.Sprintf("192.0.2.%d", i)}
			from, to := []string{"a", "b", "c"}[before.Pick(q, 0)], tc.after[after.Pick(q, 0)].Name
			if from == to {
				continue
			}
			if moved++; to != tc.to {
				t.Fatalf("%s: %s moved from %s to %s", tc.name, q.ClientIP, from, to)
			}
		}
		if (moved > 0) != (tc.to != "") {
			t.Errorf("%s: %d keys moved", tc.name, moved)
		}
	}
}

// TestSticky shows where each kind of key is found: the same key means the same target whatever the draw, another key
// or none does not.
func TestSticky(t *testing.T) {
	for _, tc := range []struct {
		sticky    string
		with      *route.Request
		different *route.Request
	}{
		{"header:x-user", &route.Request{Header: http.Header{"X-User": {"ada"}}}, &route.Request{Header: http.Header{"X-Other": {"ada"}}}},
		{"cookie:session", &route.Request{Header: http.Header{"Cookie": {"a=b", "xsession=1; session=ada"}}}, &route.Request{Header: http.Header{"Cookie": {"xsession=ada"}}}},
		{"query:user", &route.Request{Query: "a=1&us%65r=ada"}, &route.Request{Query: "users=ada"}},
		{"tenant", &route.Request{Tenant: "ada"}, &route.Request{}},
		{"client_ip", &route.Request{ClientIP: "ada"}, &route.Request{Tenant: "ada"}},
	} {
		s := split(t, tc.sticky, route.Share{Name: "a", Weight: 1}, route.Share{Name: "b", Weight: 1})
		want := split(t, "tenant", route.Share{Name: "a", Weight: 1}, route.Share{Name: "b", Weight: 1}).Pick(&route.Request{Tenant: "ada"}, 0)
		r, others := rand.New(rand.NewPCG(5, 5)), 0
		for range 200 {
			if got := s.Pick(tc.with, r.Uint64()); got != want {
				t.Fatalf("%s: target %d, want %d for the same key wherever it comes from", tc.sticky, got, want)
			}
			others += s.Pick(tc.different, r.Uint64())
		}
		if others == 0 || others == 200 {
			t.Errorf("%s: requests without the key all went one way", tc.sticky)
		}
	}
	for _, text := range []string{"", "header", "header:", "cookies:a", "tenant:x", "client_ip:"} {
		if _, err := route.ParseSticky(text); err == nil || !strings.Contains(err.Error(), "want header:NAME") {
			t.Errorf("ParseSticky(%q): got %v", text, err)
		}
	}
}

func TestSplitErrors(t *testing.T) {
	for want, shares := range map[string][]route.Share{
		"all weights are 0":                       {{Name: "a"}, {Name: "b"}},
		`the weight of "b" must be between 0 and`: {{Name: "a", Weight: 1}, {Name: "b", Weight: -1}},
	} {
		if _, err := route.NewSplit(shares, route.Sticky{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %v, want %q", shares, err, want)
		}
	}
}

func TestPickAllocatesNothing(t *testing.T) {
	s := split(t, "cookie:session", route.Share{Name: "stable", Weight: 95}, route.Share{Name: "canary", Weight: 5})
	q := &route.Request{Header: http.Header{"Cookie": {"a=b; session=0123456789abcdef"}}}
	if n := testing.AllocsPerRun(1000, func() { s.Pick(q, 1) }); n != 0 {
		t.Errorf("%v allocations per pick, want none", n)
	}
}

func BenchmarkPick(b *testing.B) {
	s := split(b, "cookie:session", route.Share{Name: "stable", Weight: 95}, route.Share{Name: "canary", Weight: 5})
	q := &route.Request{Header: http.Header{"Cookie": {"a=b; session=0123456789abcdef"}}}
	b.ReportAllocs()
	for b.Loop() {
		s.Pick(q, 1)
	}
}
