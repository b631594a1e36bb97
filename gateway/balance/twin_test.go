package balance_test

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cespare/xxhash/v2"

	"github.com/tailgate-otel/tailgate/gateway/balance"
)

// shares is a View in a slice.
type shares []uint32

func (s shares) Share(i int) uint32 { return s[i] }

// twin is the dumb ring: it sorts the points of all endpoints, turns the circle so that it starts at the key, and goes
// through the rules as the package comment states them.
type twin struct {
	endpoints []balance.Endpoint
	factor    float64
}

type twinPoint struct {
	hash  uint64
	index int
}

func (t twin) pick(key uint64, s shares) int {
	var points []twinPoint
	for i, e := range t.endpoints {
		for v := range max(e.Weight, 1) * 16 {
			name := binary.LittleEndian.AppendUint32(append([]byte(e.ID), 0), uint32(v))
			points = append(points, twinPoint{xxhash.Sum64(name), i})
		}
	}
	slices.SortFunc(points, func(a, b twinPoint) int { return cmp.Compare(a.hash-key, b.hash-key) }) // wraps: distance clockwise
	total, weights := int64(0), 0.0
	for i, e := range t.endpoints {
		total += e.Load.InFlight()
		weights += float64(max(e.Weight, 1)) * float64(s[i]) / balance.Full
	}
	up := func(i int) bool { return s[i] > 0 }
	admitted := func(i int) bool { return up(i) && admitted(s[i], key, i) }
	roomy := func(i int) bool {
		bound := t.factor * float64(total+1) * float64(max(t.endpoints[i].Weight, 1)) / weights
		return t.factor < 0 || float64(t.endpoints[i].Load.InFlight()) < bound
	}
	anyAdmitted := slices.ContainsFunc(points, func(p twinPoint) bool { return admitted(p.index) })
	for _, rule := range []func(int) bool{
		func(i int) bool { return admitted(i) && roomy(i) },
		func(i int) bool { return !anyAdmitted && up(i) && roomy(i) },
		admitted,
		up,
	} {
		for _, p := range points {
			if rule(p.index) {
				return p.index
			}
		}
	}
	return balance.None
}

// admitted is the rule for shares below Full: 10 bits of the key, mixed with the index, are below the share.
func admitted(share uint32, key uint64, index int) bool {
	x := key + (uint64(index)+1)*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return share >= balance.Full || uint32((x^x>>31)>>54) < share
}

func TestRingAgreesWithTwin(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for round := range 60 {
		tw := twin{endpoints: endpoints(1+rng.IntN(20), func(i int) int { return rng.IntN(4) }), factor: 1.25}
		if round%3 == 0 {
			tw.factor = -1
		}
		ring := build(t, tw.endpoints, balance.Settings{Policy: balance.Ring, VirtualNodes: 16, LoadFactor: tw.factor})
		for range 100 {
			s := make(shares, len(tw.endpoints))
			down := rng.IntN(4)
			for i := range s {
				if rng.IntN(4) >= down {
					s[i] = balance.Full
				} else if rng.IntN(3) == 0 {
					s[i] = rng.Uint32N(balance.Full)
				}
			}
			key := rng.Uint64()
			ring.Refresh(s)
			got, want := ring.Pick(key, s), tw.pick(key, s)
			if got != want {
				t.Fatalf("round %d: key %x with shares %v is at %d, the twin says %d", round, key, s, got, want)
			}
			if got != balance.None && rng.IntN(3) > 0 {
				tw.endpoints[got].Load.Begin()
			}
		}
	}
}

func endpoints(n int, weight func(i int) int) []balance.Endpoint {
	out := make([]balance.Endpoint, n)
	for i := range out {
		out[i] = balance.Endpoint{ID: fmt.Sprintf("10.0.0.%d:8080", i), Weight: weight(i), Load: new(balance.Load)}
	}
	return out
}

func equal(int) int { return 1 }

func build(t testing.TB, e []balance.Endpoint, s balance.Settings) *balance.Balancer {
	t.Helper()
	b, err := balance.New(e, s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// seeded makes picks repeatable.
func seeded() func() uint64 { return rand.New(rand.NewPCG(7, 7)).Uint64 }
