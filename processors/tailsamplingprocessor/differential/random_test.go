package differential

import (
	"encoding/binary"
	"math"
	"math/rand/v2"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// A source of choices: the generator asks, a seed or the fuzzer answers.
type source struct{ *rand.Rand }

func newSource(seed uint64) *source { return &source{rand.New(rand.NewPCG(seed, 0x7461696c))} }

// newFuzzSource answers from data, eight bytes per choice, and pseudo-randomly once data is used up. So a small change
// of data changes one choice and the fuzzer can find its way.
func newFuzzSource(data []byte) *source {
	seed := uint64(len(data))
	for _, b := range data {
		seed = seed*31 + uint64(b)
	}
	return &source{rand.New(&fuzzSource{data, rand.NewPCG(seed, 0x66757a7a)})}
}

type fuzzSource struct {
	data []byte
	rest *rand.PCG
}

func (s *fuzzSource) Uint64() uint64 {
	if len(s.data) < 8 {
		return s.rest.Uint64()
	}
	v := binary.LittleEndian.Uint64(s.data)
	s.data = s.data[8:]
	return v
}

// chance is true with probability p.
func (s *source) chance(p float64) bool { return s.Float64() < p }

// between includes both ends.
func (s *source) between(low, high int) int { return low + s.IntN(high-low+1) }

func pick[T any](s *source, from ...T) T { return from[s.IntN(len(from))] }

// some picks between one and all of from, in random order.
func some[T any](s *source, from ...T) []T {
	list := append([]T(nil), from...)
	s.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:s.between(1, len(list))]
}

// keys are the attribute keys of spans, resources, scopes, events and links. Policies and OTTL conditions ask for the
// first few, so the other side of the test finds them often.
var keys = []string{"str", "num", "flag", "http.status", "service.name", "json", "nested", "tailsampling.policy", ""}

var (
	stringValues = []string{"a", "b", "abc", "v1", "v2", "", "500", "GET /cart", `{"a": "b"}`, "A", "\xff\xfe"}
	intValues    = []int64{0, 1, -1, 42, 50, 99, 100, 500, math.MaxInt64, math.MinInt64}
	floatValues  = []float64{0, math.Copysign(0, -1), 0.5, 42, math.Inf(1), math.NaN()}
)

// attributes fills m. A key that is there already may come a second time: protobuf allows it, and then only the first
// counts. pdata cannot say it, so the duplicate is written under an alias that finish turns back.
func (s *source) attributes(m pcommon.Map, limit int) {
	for range s.IntN(limit + 1) {
		key := pick(s, keys...)
		if _, taken := m.Get(key); taken {
			if key == "" || s.chance(0.7) {
				continue
			}
			key = aliasOf(key)
		}
		s.value(m.PutEmpty(key), key)
	}
}

// value is mostly of the type that a reader of the key expects.
func (s *source) value(v pcommon.Value, key string) {
	if s.chance(0.15) {
		s.anyValue(v, 3)
		return
	}
	switch key {
	case "num", "http.status":
		v.SetInt(pick(s, intValues...))
	case "flag":
		v.SetBool(s.chance(0.5))
	case "nested":
		s.anyValue(v, 3)
	default:
		v.SetStr(pick(s, stringValues...))
	}
}

func (s *source) anyValue(v pcommon.Value, depth int) {
	kinds := 8
	if depth == 0 {
		kinds = 6
	}
	switch s.IntN(kinds) {
	case 0: // empty
	case 1:
		v.SetStr(pick(s, stringValues...))
	case 2:
		v.SetInt(pick(s, intValues...))
	case 3:
		v.SetDouble(pick(s, floatValues...))
	case 4:
		v.SetBool(s.chance(0.5))
	case 5:
		v.SetEmptyBytes().FromRaw(pick(s, nil, []byte{0}, []byte("bytes")))
	case 6:
		list := v.SetEmptySlice()
		for range s.IntN(4) {
			s.anyValue(list.AppendEmpty(), depth-1)
		}
	case 7:
		m := v.SetEmptyMap()
		for range s.IntN(4) {
			s.anyValue(m.PutEmpty(pick(s, keys...)), depth-1)
		}
	}
}

func (s *source) traceID() (id pcommon.TraceID) {
	binary.BigEndian.PutUint64(id[:8], s.Uint64())
	binary.BigEndian.PutUint64(id[8:], s.Uint64())
	return id
}

func (s *source) spanID() (id pcommon.SpanID) {
	binary.BigEndian.PutUint64(id[:], s.Uint64())
	return id
}
