package dynsample

import "math"

// share is what one key asks of a goal and what it is granted.
type share struct {
	weight   float64 // how the goal is divided, > 0
	floor    float64 // granted before anything is divided
	limit    float64 // as much as the key can use
	entitled float64 // what it could have, did it come more often
	grant    float64 // the smaller of the two
}

// maxFloors is the part of a goal that floors may take. Where a goal is too small for one trace of every key, half of it
// is still divided by weight: a flood of keys that come once cannot push the steady ones out.
const maxFloors = 0.5

// fill divides goal among the shares: each is granted level*weight, but not less than its floor nor more than its limit,
// with the one level at which the goal is used up (weighted max-min fairness, "water filling": Bertsekas and Gallager,
// Data Networks, 6.5.2). If the goal is more than all limits, everyone is granted its limit and entitled to what is left.
//
// The level is found by bisection: the sum of grants grows with it. Sorting the levels at which floors end and limits
// begin would find it exactly in n log n; halving until the goal is met to a millionth takes some 20 passes over the shares
// and needs no second structure.
func fill(shares []share, goal float64) {
	var limits, floors float64
	for i := range shares {
		s := &shares[i]
		s.grant = s.limit
		s.floor = min(s.floor, s.limit)
		limits += s.limit
		floors += s.floor
	}
	if limits <= goal {
		for i := range shares {
			shares[i].entitled = shares[i].limit + goal - limits
		}
		return
	}
	if most := maxFloors * goal; floors > most {
		for i := range shares {
			shares[i].floor *= most / floors
		}
	}
	var low, high float64
	for _, s := range shares {
		high = max(high, s.limit/s.weight)
	}
	for range 64 { // more than the bits of a float64
		level := (low + high) / 2
		switch missing := goal - grantAll(shares, level); {
		case math.Abs(missing) <= 1e-6*goal:
			return
		case missing < 0:
			high = level
		default:
			low = level
		}
	}
}

// grantAll is most of an adjustment's time: the built-in min and max, which care for NaN and -0, triple it (138 us instead
// of 40 with 500 keys, BenchmarkAdjust).
func grantAll(shares []share, level float64) (sum float64) {
	for i := range shares {
		s := &shares[i]
		s.entitled = level * s.weight
		if s.entitled < s.floor {
			s.entitled = s.floor
		}
		s.grant = s.entitled
		if s.grant > s.limit {
			s.grant = s.limit
		}
		sum += s.grant
	}
	return sum
}
