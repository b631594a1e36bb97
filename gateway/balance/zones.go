package balance

import (
	"slices"
	"sync/atomic"
)

// splitBase is one whole of the split among tiers.
const splitBase = 1 << 16

// tier is the endpoints of one zone, or of all zones that are not preferred.
type tier struct {
	picker
	members []member
	weights int
	upTo    *atomic.Uint32 // requests whose draw, in 1/splitBase, is below it go here, unless an earlier tier has them
}

func newTier(members []member, p picker) tier {
	t := tier{picker: p, members: members, upTo: new(atomic.Uint32)}
	for _, m := range members {
		t.weights += m.Weight
	}
	return t
}

// byZone groups the endpoints as zones prefer them and leaves out what would be empty. It settles default weights.
func byZone(endpoints []Endpoint, zones []string) [][]member {
	groups := make([][]member, len(zones)+1)
	for i, e := range endpoints {
		e.Weight = max(e.Weight, 1)
		g := 0
		if len(zones) > 0 {
			if g = slices.Index(zones, e.Zone); g < 0 {
				g = len(zones)
			}
		}
		groups[g] = append(groups[g], member{e, i})
	}
	return slices.DeleteFunc(groups, func(g []member) bool { return len(g) == 0 })
}

// pickZone sends the request to the tier that its draw falls to, or else to the nearest that has an endpoint. Under Ring the
// draw is the key's own, so that a key changes its zone only when the split does.
func (b *Balancer) pickZone(key uint64, v View) int {
	var draw uint32
	if b.policy == Ring {
		draw = uint32(mix(key, 0) >> 48)
	} else {
		draw = uint32(b.rand() >> 48)
	}
	chosen := 0
	for chosen < len(b.tiers)-1 && draw >= b.tiers[chosen].upTo.Load() {
		chosen++
	}
	if i := b.tiers[chosen].pick(key, v); i != None {
		return i
	}
	for t := range b.tiers {
		if t == chosen {
			continue
		}
		if i := b.tiers[t].pick(key, v); i != None {
			return i
		}
	}
	return None
}

// Refresh tells the balancer what health has become on the whole: how much a Ring's endpoints may bear, since the healthy
// ones have to bear everything, and how requests are split among zones. A zone takes as many as its healthy part,
// overprovisioned, can bear, and what is left goes to the next; when all zones together cannot bear everything, each takes
// in proportion to what it can.
//
// Call it when health has changed and, while endpoints warm up, every second or so. Until then the last view holds, at first
// that all are healthy; an unhealthy endpoint is not picked regardless. Picks that computed this would look at every endpoint
// each time.
func (b *Balancer) Refresh(v View) {
	bears, all := make([]float64, len(b.tiers)), 0.0
	for i := range b.tiers {
		health := b.tiers[i].health(v)
		if r, ok := b.tiers[i].picker.(*ring); ok && r.factor > 0 {
			r.refresh(health)
		}
		bears[i] = min(1, b.over*health)
		all += bears[i]
	}
	if all == 0 {
		bears[0], all = 1, 1
	}
	upTo := 0.0
	for i := range b.tiers {
		upTo = min(1, upTo+bears[i]/min(1, all))
		b.tiers[i].upTo.Store(uint32(upTo*splitBase + 0.5))
	}
}

// health is the healthy part of the tier's weight.
func (t *tier) health(v View) float64 {
	sum := 0
	for _, m := range t.members {
		sum += m.Weight * int(min(share(v, m.index), Full))
	}
	return float64(sum) / float64(t.weights*Full)
}
