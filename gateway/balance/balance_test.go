package balance_test

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tailgate-otel/tailgate/gateway/balance"
)

var policies = map[string]balance.Policy{
	"round_robin": balance.RoundRobin, "least_loaded": balance.LeastLoaded, "ring": balance.Ring, "random": balance.Random,
}

func TestRoundIsEven(t *testing.T) {
	b := build(t, endpoints(3, func(i int) int { return []int{10, 20, 30}[i] }),
		balance.Settings{Rand: func() uint64 { return 0 }})
	got := ""
	for range 12 {
		got += string(rune('a' + b.Pick(0, nil)))
	}
	if want := "cbacbc" + "cbacbc"; got != want {
		t.Errorf("turns %s, want %s", got, want)
	}
}

func TestRoundRobinStartsAnywhere(t *testing.T) {
	first := map[int]bool{}
	r := seeded()
	for range 100 {
		first[build(t, endpoints(4, equal), balance.Settings{Rand: r}).Pick(0, nil)] = true
	}
	if len(first) != 4 {
		t.Errorf("100 balancers began with %v", first)
	}
}

// Counts are exact however many goroutines pick.
func TestRoundRobinCountsExactlyInParallel(t *testing.T) {
	b := build(t, endpoints(3, func(i int) int { return i + 1 }), balance.Settings{})
	var loads [3]balance.Load
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 1000 {
				loads[b.Pick(0, nil)].Begin()
			}
		})
	}
	wg.Wait()
	for i := range loads {
		if got, want := loads[i].InFlight(), int64(1000*(i+1)); got != want {
			t.Errorf("endpoint %d was picked %d times, want %d", i, got, want)
		}
	}
}

// Whatever is down, a policy that draws or turns gives the others requests by weight, and a warming endpoint its share.
func TestPicksFollowWeightAndShare(t *testing.T) {
	full := uint32(balance.Full)
	for _, tc := range []struct {
		name    string
		weights []int
		shares  shares
		want    []float64 // of 1
	}{
		{"equal", []int{1, 1, 1, 1}, shares{full, full, full, full}, []float64{.25, .25, .25, .25}},
		{"weighted", []int{1, 2, 5}, shares{full, full, full}, []float64{.125, .25, .625}},
		{"one down", []int{1, 1, 1}, shares{full, 0, full}, []float64{.5, 0, .5}},
		{"neighbours down", []int{1, 1, 1, 1, 1}, shares{full, 0, 0, 0, full}, []float64{.5, 0, 0, 0, .5}},
		{"one left of many", []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, shares{0, 0, 0, 0, 0, 0, 0, full, 0, 0}, []float64{0, 0, 0, 0, 0, 0, 0, 1, 0, 0}},
		{"half warm", []int{1, 1}, shares{full, full / 2}, []float64{2. / 3, 1. / 3}},
		{"all warming", []int{1, 1}, shares{16, 16}, []float64{.5, .5}},
		{"zero weight is one", []int{0, 1}, shares{full, full}, []float64{.5, .5}},
	} {
		for _, policy := range []string{"round_robin", "random"} {
			t.Run(tc.name+"/"+policy, func(t *testing.T) {
				b := build(t, endpoints(len(tc.weights), func(i int) int { return tc.weights[i] }),
					balance.Settings{Policy: policies[policy], Rand: seeded()})
				const n = 40_000
				got := make([]int, len(tc.weights))
				for range n {
					got[b.Pick(0, tc.shares)]++
				}
				for i, want := range tc.want {
					if part := float64(got[i]) / n; math.Abs(part-want) > 0.015 || want == 0 && got[i] > 0 {
						t.Errorf("endpoint %d got %.3f of the requests, want %.3f", i, part, want)
					}
				}
			})
		}
	}
}

// The classic result: with as many requests as endpoints, the fullest of one draw holds ln n/ln ln n, of two ln ln n/ln 2.
func TestTwoChoicesBeatOne(t *testing.T) {
	fullest := func(policy balance.Policy) int64 {
		e := endpoints(1000, equal)
		b := build(t, e, balance.Settings{Policy: policy, Rand: seeded()})
		most := int64(0)
		for range e {
			i := b.Pick(0, nil)
			e[i].Load.Begin()
			most = max(most, e[i].Load.InFlight())
		}
		return most
	}
	if one, two := fullest(balance.Random), fullest(balance.LeastLoaded); two > 4 || one <= two {
		t.Errorf("the fullest of 1000 endpoints has %d with one choice, %d with two", one, two)
	}
}

func TestLeastLoadedWeighsLoad(t *testing.T) {
	e := endpoints(2, func(i int) int { return []int{1, 3}[i] })
	b := build(t, e, balance.Settings{Policy: balance.LeastLoaded, Rand: seeded()})
	for range 4000 {
		e[b.Pick(0, nil)].Load.Begin()
	}
	if a := e[0].Load.InFlight(); a < 980 || a > 1020 {
		t.Errorf("weight 1 of 4 holds %d of 4000 requests", a)
	}
	for range 100 { // the only healthy one, however loaded
		if i := b.Pick(0, shares{balance.Full, 0}); i != 0 {
			t.Fatalf("picked %d, which is down", i)
		}
	}
}

func TestZones(t *testing.T) {
	full := uint32(balance.Full)
	for _, tc := range []struct {
		name   string
		zones  []string
		shares shares // of endpoints in zones a a a a, b b, c c
		want   []float64
	}{
		{"own zone takes all", []string{"a"}, shares{full, full, full, full, full, full, full, full}, []float64{1, 0, 0}},
		{"one of four down is borne", []string{"a"}, shares{0, full, full, full, full, full, full, full}, []float64{1, 0, 0}},
		{"half down spills 30 %", []string{"a"}, shares{0, 0, full, full, full, full, full, full}, []float64{.7, .15, .15}},
		{"half down spills to the next zone", []string{"a", "b"}, shares{0, 0, full, full, full, full, full, full}, []float64{.7, .3, 0}},
		{"warming counts as its share", []string{"a"}, shares{full / 2, full / 2, full / 2, full / 2, full, full, full, full}, []float64{.7, .15, .15}},
		{"own zone dead", []string{"a", "b"}, shares{0, 0, 0, 0, full, full, full, full}, []float64{0, 1, 0}},
		{"two zones dead", []string{"a", "b"}, shares{0, 0, 0, 0, 0, 0, 0, full}, []float64{0, 0, 1}},
		{"too few everywhere", []string{"a"}, shares{full, 0, 0, 0, full, 0, 0, 0}, []float64{.5, .5, 0}},
		{"a zone without endpoints", []string{"z", "c"}, shares{full, full, full, full, full, full, full, full}, []float64{0, 0, 1}},
	} {
		for name, policy := range policies {
			t.Run(tc.name+"/"+name, func(t *testing.T) {
				e := endpoints(8, equal)
				for i := range e {
					e[i].Zone = string("aaaabbcc"[i])
				}
				b := build(t, e, balance.Settings{Policy: policy, Zones: tc.zones, VirtualNodes: 512, Rand: seeded()})
				b.Refresh(tc.shares)
				got := map[string]float64{}
				const n = 20_000
				for k := range n {
					i := b.Pick(balance.KeyString(strconv.Itoa(k)), tc.shares)
					got[e[i].Zone] += 1. / n
				}
				for i, want := range tc.want {
					if zone := string("abc"[i]); math.Abs(got[zone]-want) > 0.03 {
						t.Errorf("zone %s got %.3f of the requests, want %.3f", zone, got[zone], want)
					}
				}
			})
		}
	}
}

// Before anybody calls Refresh a dead zone must not cost a request.
func TestDeadZoneIsPassedOverWithoutRefresh(t *testing.T) {
	e := endpoints(2, equal)
	e[0].Zone = "a"
	b := build(t, e, balance.Settings{Zones: []string{"a"}})
	if i := b.Pick(0, nil); i != 0 {
		t.Errorf("picked %d, want the own zone", i)
	}
	if i := b.Pick(0, shares{0, balance.Full}); i != 1 {
		t.Errorf("picked %d, want the other zone", i)
	}
}

func TestNoneIsPickedWhenAllAreDown(t *testing.T) {
	for name, policy := range policies {
		for _, zones := range [][]string{nil, {"a"}} {
			e := endpoints(5, equal)
			e[1].Zone = "a"
			b := build(t, e, balance.Settings{Policy: policy, Zones: zones})
			b.Refresh(make(shares, 5))
			if i := b.Pick(1, make(shares, 5)); i != balance.None {
				t.Errorf("%s, zones %v: picked %d", name, zones, i)
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tc := range []struct {
		name      string
		endpoints []balance.Endpoint
		settings  balance.Settings
		want      string
	}{
		{"no endpoint", nil, balance.Settings{}, "endpoints: must be 1 to 4096, got 0"},
		{"too many", endpoints(4097, equal), balance.Settings{}, "got 4097"},
		{"same twice", append(endpoints(1, equal), endpoints(1, equal)...), balance.Settings{}, `endpoints[1]: id "10.0.0.0:8080" is there already`},
		{"no id", []balance.Endpoint{{}}, balance.Settings{}, "endpoints[0]: id is empty"},
		{"negative weight", endpoints(1, func(int) int { return -1 }), balance.Settings{}, "endpoints[0].weight: must be 0 to 1000, got -1"},
		{"huge weight", endpoints(1, func(int) int { return 1001 }), balance.Settings{}, "endpoints[0].weight: must be 0 to 1000, got 1001"},
		{"long round", endpoints(100, func(i int) int { return 900 + i }), balance.Settings{}, "weights: a round of 94950 turns"},
		{"crowded ring", endpoints(10, func(int) int { return 1000 }), balance.Settings{Policy: balance.Ring}, "virtual_nodes: 128 for each"},
		{"load factor", endpoints(1, equal), balance.Settings{LoadFactor: 0.9}, "load_factor: must be above 1"},
		{"overprovision", endpoints(1, equal), balance.Settings{Overprovision: 0.5}, "overprovision: must be at least 1"},
		{"virtual nodes", endpoints(1, equal), balance.Settings{VirtualNodes: -1}, "virtual_nodes: must be positive"},
		{"policy", endpoints(1, equal), balance.Settings{Policy: 9}, "policy: 9"},
	} {
		if _, err := balance.New(tc.endpoints, tc.settings); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestPickAllocatesNothing(t *testing.T) {
	for name, policy := range policies {
		for _, up := range []int{16, 8, 1, 0} {
			for _, zones := range [][]string{nil, {"a"}} {
				b, v := rig(t, policy, up, 1, zones)
				k := uint64(1)
				if n := testing.AllocsPerRun(1000, func() { k *= 0x9e3779b97f4a7c15; b.Pick(k, v) }); n != 0 {
					t.Errorf("%s, %d of 16 up, zones %v: %v allocations", name, up, zones, n)
				}
			}
		}
	}
}

// rig has 16 endpoints, some of them up, with load times 9 to 11 requests in flight.
func rig(t testing.TB, policy balance.Policy, up, load int, zones []string) (*balance.Balancer, *shares) {
	e := endpoints(16, equal)
	v := make(shares, len(e))
	for i := range e {
		e[i].Zone = string("ab"[i/8])
		for range load * (9 + i%3) {
			e[i].Load.Begin()
		}
		if i*7%16 < up {
			v[i] = balance.Full
		}
	}
	return build(t, e, balance.Settings{Policy: policy, Zones: zones}), &v
}

func BenchmarkPick(b *testing.B) {
	for _, name := range []string{"round_robin", "least_loaded", "ring", "random"} {
		for _, load := range []int{0, 1} {
			for _, up := range []int{16, 8, 1} {
				b.Run(fmt.Sprintf("policy=%s/load=%d/up=%d", name, load*10, up), func(b *testing.B) {
					bal, v := rig(b, policies[name], up, load, nil)
					bal.Refresh(v)
					k := uint64(1)
					b.ReportAllocs()
					for b.Loop() {
						k *= 0x9e3779b97f4a7c15
						bal.Pick(k, v)
					}
				})
			}
		}
	}
}

func BenchmarkPickParallel(b *testing.B) {
	for _, name := range []string{"round_robin", "least_loaded", "ring", "random"} {
		b.Run("policy="+name, func(b *testing.B) {
			bal, v := rig(b, policies[name], 16, 1, nil)
			b.RunParallel(func(pb *testing.PB) {
				for k := uint64(1); pb.Next(); k *= 0x9e3779b97f4a7c15 {
					bal.Pick(k, v)
				}
			})
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for _, n := range []int{16, 256} {
		b.Run(fmt.Sprintf("policy=ring/endpoints=%d", n), func(b *testing.B) {
			e := endpoints(n, equal)
			for b.Loop() {
				build(b, e, balance.Settings{Policy: balance.Ring})
			}
		})
	}
}

func BenchmarkKey(b *testing.B) {
	key := []byte("session=6f1e2a9c4b7d")
	for b.Loop() {
		balance.Key(key)
	}
}
