package dynsample

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/tailgate-otel/tailgate/internal/probability"
)

// RareConfig keeps traces of kinds that are seldom seen, and a trickle of the others.
type RareConfig struct {
	// Fields whose values, put together, are the kind of a trace. Empty: the signature that the caller computes of the
	// whole trace.
	Fields []string `mapstructure:"fields"`
	// Keep is how many traces of a kind are kept per Period before it counts as frequent. Default 5.
	Keep float64 `mapstructure:"keep"`
	// Period over which traces are remembered: the count of a kind falls to 37 % (1/e) in it. A kind that comes less than
	// Keep times a period is always kept whole. Default 10m.
	Period time.Duration `mapstructure:"period"`
	// RestSampleRate keeps 1 in so many of what is frequent. Default 100.
	RestSampleRate float64 `mapstructure:"rest_sample_rate"`
	// PassOn keeps nothing of what is frequent, for whoever is asked next. Default false.
	PassOn bool `mapstructure:"pass_on"`
	// MaxKeys that are known apart; further kinds count as one. This bounds what unique values can do: one kind's place is
	// free after 2.3 periods, so at most MaxKeys unique traces per 2.3 periods are kept. Default 10000 (7 traces per
	// second), at most 1000000.
	MaxKeys int `mapstructure:"max_keys"`
}

// Check reports everything that is wrong, each with its key. 0 stands for the default everywhere.
func (c *RareConfig) Check() error {
	var errs []error
	if c.Period < 0 || c.Period > 0 && c.Period < time.Second {
		errs = append(errs, fmt.Errorf("period: must be at least 1s, or 0 for the default, got %s", c.Period))
	}
	if c.PassOn && c.RestSampleRate != 0 {
		errs = append(errs, errors.New("rest_sample_rate: has no meaning with pass_on, which keeps nothing of the rest; remove one"))
	}
	errs = append(errs, validateFields(c.Fields), atLeastOne("keep", c.Keep),
		atLeastOne("rest_sample_rate", c.RestSampleRate), validateMaxKeys(c.MaxKeys, maxRareKeys))
	return errors.Join(errs...)
}

const (
	defaultRareKeys = 10_000
	maxRareKeys     = 1_000_000 // 150 MB (TestRareIsBounded: less than 200 bytes each); nothing walks over them
	maxLabelBytes   = 64        // of a key, kept for Top only

	// forgotten is the count below which a kind gives its place to a new one. To forget it costs a tenth of a trace of
	// accuracy. A kind that came once is there after ln(1/0.1) = 2.3 periods.
	forgotten = 0.1
	// countOfKeep makes Keep mean what it says. A kind that comes n times a period has a faded count of 1/(exp(1/n)-1)
	// just before the next, which is n-0.5 but for 1/12n.
	countOfKeep = 0.5

	// evictionSteps bounds the search for such a place: one call looks at so many kinds, the next one goes on behind them.
	evictionSteps = 8
)

// Rare counts the traces of each kind, with counts that fade. Frequent kinds are rare no more however long they last: it
// is what arrives that counts, not what is kept.
type Rare struct {
	rare    float64 // a count below this is rare
	period  float64 // seconds
	rest    probability.Threshold
	maxKeys int
	seed    maphash.Seed

	// mu guards everything below. It is held for a map lookup and one exponential.
	mu     sync.Mutex
	index  map[uint64]int32 // of kinds
	kinds  []kind
	others kind
	hand   int // where the last search for a forgotten kind ended
	latest time.Time
}

type kind struct {
	signature uint64
	count     float64
	at        int64  // Unix nanoseconds for which count is right
	label     string // for Top; empty if the caller gave only a signature
}

// NewRare returns the sampler of a valid configuration.
func NewRare(c RareConfig) *Rare {
	rest := probability.FromProbability(1 / cmp.Or(c.RestSampleRate, 100))
	if c.PassOn {
		rest = probability.Never
	}
	return &Rare{
		rare:    cmp.Or(c.Keep, 5) - countOfKeep,
		period:  cmp.Or(c.Period, 10*time.Minute).Seconds(),
		rest:    rest,
		maxKeys: cmp.Or(c.MaxKeys, defaultRareKeys),
		seed:    maphash.MakeSeed(),
		index:   make(map[uint64]int32),
		others:  kind{label: OtherKeys},
	}
}

// Threshold is Sampler's. The size of a trace does not count.
func (r *Rare) Threshold(now time.Time, key string, weight float64, _ int) probability.Threshold {
	return r.threshold(now, maphash.String(r.seed, key), key, weight)
}

// ThresholdSignature is Threshold for a kind that is known by a number.
func (r *Rare) ThresholdSignature(now time.Time, signature uint64, weight float64) probability.Threshold {
	return r.threshold(now, signature, "", weight)
}

func (r *Rare) threshold(now time.Time, signature uint64, label string, weight float64) probability.Threshold {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.After(r.latest) {
		r.latest = now
	}
	at := now.UnixNano()
	k := r.find(signature, label, at)
	before := k.countAt(at, r.period)
	k.count = before + adjusted(weight)
	k.at = max(k.at, at)
	if before < r.rare {
		return probability.Always
	}
	return r.rest
}

// countAt is the count as it has faded at a time. Shards pass slightly different times: it does not grow back.
func (k *kind) countAt(at int64, period float64) float64 {
	if at <= k.at || k.count == 0 {
		return k.count
	}
	return k.count * math.Exp(-float64(at-k.at)/(period*1e9))
}

// find returns the kind, a new one if there is room or a forgotten one to replace, else the others. mu held; the kind is
// valid until the next call.
func (r *Rare) find(signature uint64, label string, at int64) *kind {
	if i, ok := r.index[signature]; ok {
		return &r.kinds[i]
	}
	i := len(r.kinds)
	if i < r.maxKeys {
		r.kinds = append(r.kinds, kind{})
	} else if i = r.findForgotten(at); i < 0 {
		return &r.others
	} else {
		delete(r.index, r.kinds[i].signature)
	}
	r.index[signature] = int32(i)
	r.kinds[i] = kind{signature: signature, at: at, label: strings.Clone(clip(label, maxLabelBytes))}
	return &r.kinds[i]
}

func (r *Rare) findForgotten(at int64) int {
	for range min(evictionSteps, len(r.kinds)) {
		r.hand = (r.hand + 1) % len(r.kinds)
		if r.kinds[r.hand].countAt(at, r.period) < forgotten {
			return r.hand
		}
	}
	return -1
}

// Top is Sampler's. A kind without a key is named by its signature in hex.
func (r *Rare) Top(n int) []KeyRate {
	r.mu.Lock()
	defer r.mu.Unlock()
	rates := make([]KeyRate, 0, len(r.kinds)+1)
	at := r.latest.UnixNano()
	line := func(k *kind, label string) {
		count := k.countAt(at, r.period)
		p := 1.0
		if count >= r.rare {
			p = r.rest.Probability()
		}
		rates = append(rates, KeyRate{Key: label, Probability: p, TracesPerSecond: count / r.period})
	}
	for i := range r.kinds {
		label := r.kinds[i].label
		if label == "" {
			label = "0x" + strconv.FormatUint(r.kinds[i].signature, 16)
		}
		line(&r.kinds[i], label)
	}
	if r.others.count > 0 {
		line(&r.others, OtherKeys)
	}
	return busiest(rates, n)
}

// Keys is Sampler's. It includes kinds that are forgotten and not yet replaced.
func (r *Rare) Keys() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.kinds)
}

// Bytes is Sampler's. mapEntry is too large for this map by a third.
func (r *Rare) Bytes() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := int(unsafe.Sizeof(*r)) + cap(r.kinds)*int(unsafe.Sizeof(kind{})) + len(r.kinds)*mapEntry
	for i := range r.kinds {
		n += len(r.kinds[i].label)
	}
	return n
}

var (
	_ Sampler = (*Adaptive)(nil)
	_ Sampler = (*Rare)(nil)
)
