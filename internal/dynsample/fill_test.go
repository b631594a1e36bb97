package dynsample

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fairly is max-min fairness by the book: from the smallest demand up, everyone gets what it asks or an equal part of
// what is left.
func fairly(demands []float64, total float64) []float64 {
	order := make([]int, len(demands))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if demands[a] < demands[b] {
			return -1
		}
		return 1
	})
	grants := make([]float64, len(demands))
	for n, i := range order {
		grants[i] = min(demands[i], total/float64(len(order)-n))
		total -= grants[i]
	}
	return grants
}

func TestFillEqualsMaxMinFairness(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		shares := make([]share, 1+rng.IntN(40))
		demands := make([]float64, len(shares))
		for i := range shares {
			demands[i] = rng.ExpFloat64() * []float64{1, 1000}[rng.IntN(2)]
			shares[i] = share{weight: 1, limit: demands[i]}
		}
		goal := rng.ExpFloat64() * 1000
		fill(shares, goal)
		for i, want := range fairly(demands, goal) {
			require.InDelta(t, want, shares[i].grant, 1e-6*goal)
		}
	}
}

// With weights and floors: the goal is used up, everyone is between floor and limit, and whoever is at neither stands at
// the same level.
func TestFillWeighted(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range 2000 {
		shares := make([]share, 1+rng.IntN(40))
		var limits, floors float64
		for i := range shares {
			s := share{weight: rng.ExpFloat64(), floor: rng.Float64(), limit: rng.ExpFloat64() * 100}
			shares[i] = s
			limits += s.limit
			floors += min(s.floor, s.limit)
		}
		goal := limits * rng.Float64() * 1.2
		fill(shares, goal)

		var sum, level float64
		for _, s := range shares {
			sum += s.grant
			require.LessOrEqual(t, s.grant, s.limit)
			floor := s.floor
			if limits > goal {
				require.GreaterOrEqual(t, s.grant, floor)
			}
			if s.grant > floor && s.grant < s.limit {
				if level == 0 {
					level = s.grant / s.weight
				}
				require.InEpsilon(t, level, s.grant/s.weight, 1e-6)
			}
		}
		require.InEpsilon(t, min(goal, limits), sum, 1e-6)
		if floors < goal/2 {
			continue
		}
		var left float64 // floors were cut to half of the goal
		for _, s := range shares {
			left += s.floor
		}
		require.InEpsilon(t, goal/2, left, 1e-9)
	}
}

// The whole sampler against the same division of the true rates.
func TestBudgetIsFair(t *testing.T) {
	rates := []float64{400, 200, 90, 30, 12, 9, 5, 3, 1, 1}
	for _, budget := range []float64{5, 30, 100, 300, 1000} {
		t.Run(fmt.Sprint("budget=", budget), func(t *testing.T) {
			var streams []stream
			for i, r := range rates {
				streams = append(streams, stream{key: fmt.Sprint(i), perSecond: r})
			}
			sim := simulate(NewBudget(BudgetConfig{BudgetPerSec: budget, Unit: Traces}), 3, streams...)
			sim.run(time.Minute)
			const seconds = 1200
			got := sim.run(seconds * time.Second)
			for i, want := range fairly(rates, budget) {
				assert.InEpsilon(t, want, got[fmt.Sprint(i)].kept/seconds, 0.1, "key of %v traces per second", rates[i])
			}
		})
	}
}
