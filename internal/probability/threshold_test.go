package probability

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
)

func TestFromProbability(t *testing.T) {
	for _, c := range []struct {
		p    float64
		th   Threshold
		text string
	}{
		{1, Always, "0"},
		{2, Always, "0"},
		{math.NaN(), Always, "0"},
		{0.5, 1 << 55, "8"},
		{0.25, 3 << 54, "c"},
		{0.1, 0xe6666666666666, "e6666666666666"},
		{0.01, 0xfd70a3d70a3d71, "fd70a3d70a3d71"},
		{1 - 0x1p-52, 0x10, "0000000000001"},
		{0x1p-56, Never - 1, "ffffffffffffff"},
		{0x1p-58, Never, "never"},
		{0, Never, "never"},
		{-1, Never, "never"},
		{math.Inf(-1), Never, "never"},
	} {
		th := FromProbability(c.p)
		assert.Equal(t, c.th, th, "p=%v", c.p)
		assert.Equal(t, c.text, th.String(), "p=%v", c.p)
	}
}

// What the reference implementation makes of a probability and its hex form, we make too.
func TestThresholdEqualsReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		p := math.Exp2(-56 * rng.Float64())
		if rng.IntN(4) == 0 {
			p = 1 - p
		}
		want, err := sampling.ProbabilityToThreshold(p)
		if err != nil {
			continue
		}
		got := FromProbability(p)
		require.Equal(t, want.Unsigned(), uint64(got), "p=%v", p)
		require.Equal(t, want.TValue(), string(got.AppendHex(nil)))
		require.Equal(t, want.Probability(), got.Probability())
		require.Equal(t, want.AdjustedCount(), got.AdjustedCount())

		back, err := ParseThreshold(got.String())
		require.NoError(t, err)
		require.Equal(t, got, back)

		r := rng.Uint64() & uint64(Never-1)
		if rng.IntN(2) == 0 {
			r = uint64(got) - uint64(rng.IntN(2)) // at the border and just below it
		}
		if rnd, err := sampling.UnsignedToRandomness(r); err == nil {
			require.Equal(t, want.ShouldSample(rnd), got.Keeps(r))
		}
	}
}

func TestParseThreshold(t *testing.T) {
	for text, want := range map[string]Threshold{
		"0": Always, "00": Always, "8": 1 << 55, "80": 1 << 55, "C": 3 << 54, "00000000000001": 1, "ffffffffffffff": Never - 1,
	} {
		got, err := ParseThreshold(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "g", "-1", "0x1", "1_0", " 1", "000000000000000"} {
		_, err := ParseThreshold(text)
		assert.Error(t, err, text)
	}
}

func TestNever(t *testing.T) {
	for _, th := range []Threshold{Never, Never + 1, math.MaxUint64} {
		assert.Zero(t, th.Probability())
		assert.Zero(t, th.AdjustedCount())
		assert.False(t, th.Keeps(uint64(Never-1)))
		assert.Empty(t, th.AppendHex(nil))
	}
}

func TestRandomnessEqualsReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 1000 {
		var id [16]byte
		for i := range id {
			id[i] = byte(rng.Uint32())
		}
		want := sampling.TraceIDToRandomness(pcommon.TraceID(id)).Unsigned()
		require.Equal(t, want, Randomness(id))
		require.Equal(t, want, Info{}.Randomness(id))
		require.Equal(t, uint64(7), Info{RV: 7, HasRV: true}.Randomness(id))
	}
}

// Whoever samples first, the same traces are left, and their adjusted counts add up to what there was.
func TestComposedSamplersEstimateTheWhole(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const n = 200_000
	early, late := FromProbability(0.3), FromProbability(0.07)
	var estimate float64
	for range n {
		r := rng.Uint64() & uint64(Never-1)
		inOrder, reversed := early.Keeps(r) && late.Keeps(r), late.Keeps(r) && early.Keeps(r)
		both := Compose(early, late)
		require.Equal(t, inOrder, both.Keeps(r))
		require.Equal(t, reversed, Compose(late, early).Keeps(r))
		if both.Keeps(r) {
			estimate += both.AdjustedCount()
		}
	}
	sigma := math.Sqrt(n * (1 - 0.07) / 0.07) // of a sum of n Bernoulli(p)/p
	assert.InDelta(t, n, estimate, 3*sigma)
}

func ExampleRewrite() {
	out, changed, err := Rewrite(nil, "vendor=x, ot=th:8;foo:bar", FromProbability(0.25))
	fmt.Println(string(out), changed, err)

	_, changed, _ = Rewrite(nil, "ot=th:ff", FromProbability(0.25)) // kept at 1 in 256 before: stays
	fmt.Println(changed)
	// Output:
	// ot=th:c;foo:bar,vendor=x true <nil>
	// false
}
