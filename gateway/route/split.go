package route

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"

	"github.com/cespare/xxhash/v2"
)

// Share is one part of a Split.
type Share struct {
	Name   string
	Weight int // its part of the sum of all weights; 0: nothing
}

// Split divides the requests of a route among targets by weight: a canary. It is immutable.
//
// Targets are chosen by weighted rendezvous hashing: each target draws an exponential number from the point and its own
// name, divided by its weight, and the least one wins. So when a weight changes only as many keys move as must, a key
// that moves goes to the target that grew, and two routes (or two replicas) that split the same targets alike send a
// key to the same one. Ranges of hashes, the usual way, move further keys when there are more than two targets.
type Split struct {
	targets []target
	sticky  Sticky
}

type target struct {
	seed   uint64
	weight float64
}

// NewSplit makes a split. The index that Pick returns is that of shares.
func NewSplit(shares []Share, sticky Sticky) (*Split, error) {
	s := &Split{sticky: sticky}
	sum := 0
	for _, share := range shares {
		if share.Weight < 0 || share.Weight > 1e6 {
			return nil, fmt.Errorf("the weight of %q must be between 0 and 1000000, got %d", share.Name, share.Weight)
		}
		sum += share.Weight
		s.targets = append(s.targets, target{xxhash.Sum64String(share.Name), float64(share.Weight)})
	}
	if sum == 0 {
		return nil, errors.New("all weights are 0, so no request could go anywhere")
	}
	return s, nil
}

// Pick chooses a target for a request: the one of its key, or where it has none that of random, 64 random bits.
func (s *Split) Pick(q *Request, random uint64) int {
	point := random
	if key, ok := s.sticky.key(q); ok {
		point = xxhash.Sum64String(key)
	}
	best, least := 0, math.Inf(1)
	for i, t := range s.targets {
		if t.weight == 0 {
			continue
		}
		// 53 bits make a number within (0, 1); its negative logarithm is exponentially distributed.
		u := (float64(mix(point^t.seed)>>11) + 0.5) / (1 << 53)
		if draw := -math.Log(u) / t.weight; draw < least {
			best, least = i, draw
		}
	}
	return best
}

// mix is the finalizer of splitmix64: each bit of x changes half of the bits of the result.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Sticky says what keeps requests together: all with the same key go to the same target of a split. The zero value
// keeps none together.
type Sticky struct {
	from stickyFrom
	name string
}

type stickyFrom uint8

const (
	stickyNot stickyFrom = iota
	stickyHeader
	stickyCookie
	stickyQuery
	stickyTenant
	stickyClientIP
)

// ParseSticky reads header:NAME, cookie:NAME, query:NAME, tenant or client_ip.
func ParseSticky(text string) (Sticky, error) {
	kind, name, named := strings.Cut(text, ":")
	from, ok := map[string]stickyFrom{"header": stickyHeader, "cookie": stickyCookie, "query": stickyQuery, "tenant": stickyTenant, "client_ip": stickyClientIP}[kind]
	needsName := from == stickyHeader || from == stickyCookie || from == stickyQuery
	if !ok || named != needsName || needsName && name == "" {
		return Sticky{}, fmt.Errorf("%q: want header:NAME, cookie:NAME, query:NAME, tenant or client_ip", text)
	}
	if from == stickyHeader {
		name = http.CanonicalHeaderKey(name)
	}
	return Sticky{from, name}, nil
}

func (s Sticky) key(q *Request) (string, bool) {
	key := ""
	switch s.from {
	case stickyHeader:
		if v := q.Header[s.name]; len(v) > 0 {
			key = v[0]
		}
	case stickyCookie:
		key = cookie(q.Header["Cookie"], s.name)
	case stickyQuery:
		key = parameter(q.Query, s.name)
	case stickyTenant:
		key = q.Tenant
	case stickyClientIP:
		key = q.ClientIP
	case stickyNot:
	}
	return key, key != ""
}

// cookie finds the first cookie of a name. net/http's own reader builds all of them.
func cookie(lines []string, name string) string {
	for _, line := range lines {
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			if n, v, _ := strings.Cut(strings.TrimSpace(pair), "="); n == name {
				return v
			}
		}
	}
	return ""
}

// parameter finds the first value of a query parameter, as it is written.
func parameter(raw, name string) string {
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		n, v, _ := strings.Cut(pair, "=")
		if n == name {
			return v
		}
		if strings.ContainsAny(n, "%+") {
			if plain, err := url.QueryUnescape(n); err == nil && plain == name {
				return v
			}
		}
	}
	return ""
}
