package balance

import "math/bits"

// maxDraws bounds how often a pick draws before it looks at all endpoints. With half of them down that happens once in 2^8
// picks.
const maxDraws = 8

// lots draws endpoints by weight in constant time (Walker's alias method as Vose builds it, 1991): each column of equal
// height belongs to at most two endpoints.
type lots []column

type column struct {
	upTo       uint32 // the part, in 1/2^32, of the column that is own's
	own, other uint16
}

func newLots(members []member) lots {
	total := 0
	for _, m := range members {
		total += m.Weight
	}
	n := len(members)
	rest := make([]int, n) // of the weights, times n, so that a column holds total and all stays whole
	var low, high []int
	for i, m := range members {
		if rest[i] = m.Weight * n; rest[i] < total {
			low = append(low, i)
		} else {
			high = append(high, i)
		}
	}
	l := make(lots, n)
	for len(low) > 0 { // then there is a high one, for the mean is total
		a, b := low[len(low)-1], high[len(high)-1]
		low = low[:len(low)-1]
		l[a] = column{uint32(uint64(rest[a]) << 32 / uint64(total)), uint16(members[a].index), uint16(members[b].index)}
		if rest[b] -= total - rest[a]; rest[b] < total {
			low, high = append(low, b), high[:len(high)-1]
		}
	}
	for _, a := range high {
		l[a] = column{^uint32(0), uint16(members[a].index), uint16(members[a].index)}
	}
	return l
}

// draw uses 32 random bits: times the number of columns, they are the column before the point and the height after it.
func (l lots) draw(random uint32) int {
	c, height := bits.Mul32(random, uint32(len(l)))
	if col := &l[c]; height < col.upTo {
		return int(col.own)
	}
	return int(l[c].other)
}

type randomPick struct {
	lots    lots
	members []member
	rand    func() uint64
}

func newRandom(members []member, rand func() uint64) *randomPick {
	return &randomPick{lots: newLots(members), members: members, rand: rand}
}

func (p *randomPick) pick(_ uint64, v View) int {
	for range maxDraws / 2 {
		r := p.rand()
		for _, half := range [2]uint32{uint32(r >> 32), uint32(r)} {
			if i := p.lots.draw(half); admits(share(v, i), i, uint64(half)) {
				return i
			}
		}
	}
	return anyOf(p.members, v, p.rand())
}

type leastLoaded struct {
	lots    lots
	members []member
	of      []weighed // by index of the endpoint
	rand    func() uint64
}

type weighed struct {
	load   *Load
	weight int64
}

func newLeastLoaded(members []member, rand func() uint64) *leastLoaded {
	highest := 0
	for _, m := range members {
		highest = max(highest, m.index)
	}
	p := &leastLoaded{lots: newLots(members), members: members, rand: rand, of: make([]weighed, highest+1)}
	for _, m := range members {
		p.of[m.index] = weighed{m.Load, int64(m.Weight)}
	}
	return p
}

func (p *leastLoaded) pick(_ uint64, v View) int {
	r := p.rand()
	high, low := uint32(r>>32), uint32(r)
	a, b := p.lots.draw(high), p.lots.draw(low)
	if a != b && admits(share(v, a), a, uint64(high)) && admits(share(v, b), b, uint64(low)) {
		return p.lighter(a, b)
	}
	return p.pickOn(v)
}

// pickOn draws until it has two different endpoints that take the request, or often enough.
func (p *leastLoaded) pickOn(v View) int {
	first := None
	for range maxDraws / 2 {
		r := p.rand()
		for _, half := range [2]uint32{uint32(r >> 32), uint32(r)} {
			i := p.lots.draw(half)
			if i == first || !admits(share(v, i), i, uint64(half)) {
				continue
			}
			if first != None {
				return p.lighter(first, i)
			}
			first = i
		}
	}
	if first != None {
		return first
	}
	return anyOf(p.members, v, p.rand())
}

// lighter compares what the loads would be with one more request, per weight. Which is lighter cannot be predicted, so this is
// written to compile without a jump.
func (p *leastLoaded) lighter(a, b int) int {
	first, second := &p.of[a], &p.of[b]
	mine, other := (inFlight(first.load)+1)*second.weight, (inFlight(second.load)+1)*first.weight
	best := a
	if other < mine {
		best = b
	}
	return best
}

// anyOf draws one of the endpoints that have a share, by weight and share, or answers None. It looks at all of them, twice.
func anyOf(members []member, v View, random uint64) int {
	total := uint64(0)
	for _, m := range members {
		total += uint64(m.Weight) * uint64(share(v, m.index))
	}
	if total == 0 {
		return None
	}
	at, _ := bits.Mul64(mix(random, 0), total) // at < total
	last := None
	for _, m := range members {
		s := share(v, m.index)
		if s == 0 {
			continue
		}
		last = m.index
		w := uint64(m.Weight) * uint64(s)
		if at < w {
			return last
		}
		at -= w
	}
	return last // shares may have shrunk meanwhile
}
