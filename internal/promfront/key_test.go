package promfront

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Different attributes have different keys and equal ones equal keys.
func TestKeysAreExact(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	var all []pcommon.Map
	for range 400 {
		all = append(all, randomMap(rnd, 2))
	}
	for _, a := range all {
		key := string(appendAttributes(nil, a))
		for _, b := range all {
			same := fmt.Sprintf("%#v", inOrder(a)) == fmt.Sprintf("%#v", inOrder(b))
			require.Equal(t, same, string(appendAttributes(nil, b)) == key, "%v %v", a.AsRaw(), b.AsRaw())
		}
	}
}

// randomMap has few names and values, so that equal ones and ones that nearly are come up.
func randomMap(rnd *rand.Rand, depth int) pcommon.Map {
	m := pcommon.NewMap()
	names := []string{"", "a", "b", "ab", string(make([]byte, 130))}
	for range rnd.IntN(3) {
		randomValue(rnd, m.PutEmpty(names[rnd.IntN(len(names))]), depth)
	}
	return m
}

func randomValue(rnd *rand.Rand, v pcommon.Value, depth int) {
	switch n := rnd.IntN(8); {
	case n == 0:
		v.SetStr([]string{"", "a", "ab", "\x01a", string(make([]byte, 200))}[rnd.IntN(5)])
	case n == 1:
		v.SetInt([]int64{0, 1, -1, math.MaxInt64}[rnd.IntN(4)])
	case n == 2:
		v.SetDouble([]float64{0, 1, math.Copysign(0, -1)}[rnd.IntN(3)])
	case n == 3:
		v.SetBool(rnd.IntN(2) == 0)
	case n == 4:
		v.SetEmptyBytes().FromRaw([]byte("ab")[:rnd.IntN(3)])
	case n == 5 && depth > 0:
		randomMap(rnd, depth-1).CopyTo(v.SetEmptyMap())
	case n == 6 && depth > 0:
		s := v.SetEmptySlice()
		for range rnd.IntN(3) {
			randomValue(rnd, s.AppendEmpty(), depth-1)
		}
	}
}

// inOrder is the map as nested slices of types and values, which print differently if they are different.
func inOrder(m pcommon.Map) []any {
	var out []any
	for name, v := range m.All() {
		out = append(out, name, plain(v))
	}
	return out
}

func plain(v pcommon.Value) []any {
	out := []any{v.Type()}
	switch v.Type() {
	case pcommon.ValueTypeMap:
		return append(out, inOrder(v.Map()))
	case pcommon.ValueTypeSlice:
		var items []any
		for _, item := range v.Slice().All() {
			items = append(items, plain(item))
		}
		return append(out, items)
	case pcommon.ValueTypeDouble:
		return append(out, math.Float64bits(v.Double()))
	}
	return append(out, v.AsRaw())
}

func BenchmarkKey(b *testing.B) {
	m := pcommon.NewMap()
	for _, name := range []string{"http.request.method", "http.route", "network.protocol.name", "server.address", "url.scheme", "any"} {
		m.PutStr(name, "a value of "+name)
	}
	m.PutInt("http.response.status_code", 200)
	var buf []byte
	for b.Loop() {
		buf = appendAttributes(buf[:0], m)
	}
}
