package balance_test

import (
	"math"
	"strconv"
	"testing"

	"github.com/tailgate-otel/tailgate/gateway/balance"
)

const keys = 20_000

func owners(b *balance.Balancer, e []balance.Endpoint, v balance.View) []string {
	out := make([]string, keys)
	for k := range out {
		out[k] = e[b.Pick(balance.KeyString("user-"+strconv.Itoa(k)), v)].ID
	}
	return out
}

// These answers were written down once. If they change, every client of a rolling upgrade changes its endpoint.
func TestRingIsTheSameInAllProcesses(t *testing.T) {
	e := endpoints(5, func(i int) int { return i })
	b := build(t, e, balance.Settings{Policy: balance.Ring})
	got := ""
	for _, key := range []string{"", "a", "b", "alice", "bob", "/api/catalog", "10.1.2.3", "tenant-42"} {
		got += strconv.Itoa(b.Pick(balance.KeyString(key), nil))
	}
	if want := "34242200"; got != want {
		t.Errorf("endpoints %s, want %s", got, want)
	}
	if balance.Key([]byte("alice")) != balance.KeyString("alice") {
		t.Error("Key and KeyString differ")
	}
}

func TestRingIgnoresTheOrderOfTheList(t *testing.T) {
	e := endpoints(9, func(i int) int { return i % 3 })
	want := owners(build(t, e, balance.Settings{Policy: balance.Ring}), e, nil)
	e[0], e[7], e[3], e[8] = e[8], e[0], e[7], e[3]
	got := owners(build(t, e, balance.Settings{Policy: balance.Ring}), e, nil)
	for k := range want {
		if got[k] != want[k] {
			t.Fatalf("key %d moved from %s to %s", k, want[k], got[k])
		}
	}
}

// Taking one of n endpoints away moves its keys and no others; adding it moves the same ones back. By weight its part is
// w/W; with 128 points per weight the deviation of one endpoint's part is about 1/sqrt(128) = 9 %, so 35 % is four of it.
func TestRingMovesOnlyWhatItMust(t *testing.T) {
	for _, n := range []int{2, 5, 16, 40} {
		for _, gone := range []int{0, n / 2, n - 1} {
			all := endpoints(n, equal)
			with := owners(build(t, all, balance.Settings{Policy: balance.Ring}), all, nil)
			rest := append(append([]balance.Endpoint{}, all[:gone]...), all[gone+1:]...)
			without := owners(build(t, rest, balance.Settings{Policy: balance.Ring}), rest, nil)
			moved := 0
			for k := range with {
				if with[k] == without[k] {
					continue
				}
				if moved++; with[k] != all[gone].ID {
					t.Fatalf("n=%d: key %d moved from %s to %s though %s went", n, k, with[k], without[k], all[gone].ID)
				}
			}
			if part := float64(moved) / keys * float64(n); math.Abs(part-1) > 0.35 {
				t.Errorf("n=%d: %d of %d keys moved, %.2f times 1/n", n, moved, keys, part)
			}
		}
	}
}

// A dead endpoint's keys go where they would go if it were not there.
func TestRingFailsOverAsIfTheEndpointWereGone(t *testing.T) {
	all := endpoints(12, equal)
	s := make(shares, len(all))
	var alive []balance.Endpoint
	for i := range all {
		if i%3 != 0 {
			s[i] = balance.Full
			alive = append(alive, all[i])
		}
	}
	got := owners(build(t, all, balance.Settings{Policy: balance.Ring}), all, s)
	want := owners(build(t, alive, balance.Settings{Policy: balance.Ring}), alive, nil)
	for k := range want {
		if got[k] != want[k] {
			t.Fatalf("key %d is at %s, want %s", k, got[k], want[k])
		}
	}
}

// While a returning endpoint warms up its keys come back one after another, and those that are back stay.
func TestRingWarmsUpKeyByKey(t *testing.T) {
	all := endpoints(8, equal)
	b := build(t, all, balance.Settings{Policy: balance.Ring})
	s := make(shares, len(all))
	for i := range s {
		s[i] = balance.Full
	}
	home := owners(b, all, s)
	mine := 0
	for _, id := range home {
		if id == all[3].ID {
			mine++
		}
	}
	back := map[int]bool{}
	for share := uint32(0); share <= balance.Full; share += balance.Full / 4 {
		s[3] = share
		n := 0
		for k, id := range owners(b, all, s) {
			if id == all[3].ID {
				n++
				back[k] = true
			} else if back[k] {
				t.Fatalf("share %d: key %d left again", share, k)
			} else if home[k] != all[3].ID && id != home[k] {
				t.Fatalf("share %d: key %d of %s is at %s", share, k, home[k], id)
			}
		}
		if want := float64(mine) * float64(share) / balance.Full; math.Abs(float64(n)-want) > 0.05*float64(mine) {
			t.Errorf("share %d: %d keys are back, want about %.0f", share, n, want)
		}
	}
}

func TestRingBoundsLoad(t *testing.T) {
	for _, down := range []int{0, 5} {
		all := endpoints(10, func(i int) int { return 1 + i%2 })
		s, weights := make(shares, len(all)), 0
		for i := range s {
			if i >= down {
				s[i] = balance.Full
				weights += 1 + i%2
			}
		}
		b := build(t, all, balance.Settings{Policy: balance.Ring})
		b.Refresh(s)
		for n := range 3000 {
			i := b.Pick(balance.KeyString(strconv.Itoa(n%3)), s) // three hot keys
			all[i].Load.Begin()
			bound := math.Ceil(1.25 * float64(n+1) * float64(all[i].Weight) / float64(weights))
			if got := all[i].Load.InFlight(); float64(got) > bound {
				t.Fatalf("%d down, request %d: endpoint %d has %d in flight, bound %.0f", down, n, i, got, bound)
			}
		}
	}
}

func TestRingFollowsWeights(t *testing.T) {
	all := endpoints(4, func(i int) int { return 1 << i })
	n := map[string]int{}
	for _, id := range owners(build(t, all, balance.Settings{Policy: balance.Ring, VirtualNodes: 512}), all, nil) {
		n[id]++
	}
	for _, e := range all {
		if part := float64(n[e.ID]) / keys * 15 / float64(e.Weight); math.Abs(part-1) > 0.2 {
			t.Errorf("weight %d of 15 got %d of %d keys", e.Weight, n[e.ID], keys)
		}
	}
}
