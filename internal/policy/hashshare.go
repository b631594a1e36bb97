package policy

import (
	"math"
	"math/big"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
)

// threshold is a rejection threshold of consistent sampling: a trace passes if its randomness is not below. 56 bits.
type threshold = uint64

// never is the threshold that no randomness reaches.
const never threshold = 1 << 56

// hashShare samples a share of the trace ids: by a hash, or, for traces that carry sampling information while
// tracestate is in use, by the randomness of the trace, which every sampler on its way agrees about.
type hashShare struct {
	salted        uint64 // the hash after the salt
	upTo          uint64 // hashes to keep
	threshold     threshold
	useTraceState bool
}

const defaultHashSalt = "default-hash-seed"

func newHashShare(c *ProbabilisticConfig, useTraceState bool) *hashShare {
	salt := c.HashSalt
	if salt == "" {
		salt = defaultHashSalt
	}
	ratio := c.SamplingPercentage / 100
	return &hashShare{
		salted:        fnv1a(fnvOffset, []byte(salt)),
		upTo:          shareOfUint64(ratio),
		threshold:     thresholdOf(ratio),
		useTraceState: useTraceState,
	}
}

// thresholdOf is the threshold that lets ratio of all randomness pass. Ratios too small to be expressed are none.
func thresholdOf(ratio float64) threshold {
	if ratio >= 1 {
		return 0
	}
	th, err := sampling.ProbabilityToThreshold(ratio)
	if err != nil {
		return never
	}
	return th.Unsigned()
}

// shareOfUint64 is the largest hash that a share of all hashes goes up to. A float64 cannot hold MaxUint64, hence the
// detour; which decisions the last bits make must agree with contrib's.
func shareOfUint64(ratio float64) uint64 {
	all := new(big.Float).SetUint64(math.MaxUint64)
	n, _ := all.Mul(all, big.NewFloat(ratio)).Uint64()
	return n
}

func (e *hashShare) eval(ev *evaluation) answer {
	return answer{vote: yesIf(e.keeps(&ev.trace)), threshold: e.threshold}
}

func (e *hashShare) keeps(t *Trace) bool {
	if e.useTraceState && t.Facts.Flags&FlagSamplingInfo != 0 {
		return e.threshold <= t.randomness()
	}
	return fnv1a(e.salted, t.ID[:]) <= e.upTo
}

func (e *hashShare) possible(t *Trace) votes {
	switch {
	case e.useTraceState && t.Facts.Flags&FlagRandomness == 0:
		return mayYes | mayNo // a span to come may bring an rv
	case e.keeps(t):
		return mayYes
	default:
		return mayNo
	}
}

func (e *hashShare) exact() bool { return e.threshold == 0 }

const (
	fnvOffset uint64 = 14695981039346656037
	fnvPrime  uint64 = 1099511628211
)

// fnv1a continues the 64-bit FNV-1a hash h with data. hash/fnv would make the salt be hashed for every trace.
func fnv1a(h uint64, data []byte) uint64 {
	for _, c := range data {
		h = (h ^ uint64(c)) * fnvPrime
	}
	return h
}
