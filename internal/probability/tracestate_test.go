package probability

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/open-telemetry/opentelemetry-collector-contrib/pkg/sampling"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseTraceState(t *testing.T) {
	for s, want := range map[string]Info{
		"":                                {},
		"a=1":                             {},
		"ot=th:8":                         {TH: 1 << 55, HasTH: true},
		"ot=th:0":                         {HasTH: true},
		"a=1 ,\t ot=rv:00000000000010":    {RV: 16, HasRV: true},
		"ot=x:y;rv:FFFFFFFFFFFFFF;th:ff;": {}, // error: trailing semicolon
		"ot=x:y;rv:FFFFFFFFFFFFFF;th:ff":  {RV: 1<<56 - 1, HasRV: true, TH: 0xff << 48, HasTH: true},
		"ot=th:8,ot=x:y":                  {}, // the last one counts
	} {
		got, err := ParseTraceState(s)
		assert.Equal(t, strings.HasSuffix(s, ";"), err != nil, s)
		got.ot, got.rv = "", ""
		assert.Equal(t, want, got, s)
	}
}

func TestParseTraceStateRefuses(t *testing.T) {
	for s, want := range map[string]error{
		strings.Repeat("a", 1025):               errLength,
		strings.Repeat("a=1,", 32):              errMembers,
		"a":                                     errMember,
		"=1":                                    errMember,
		"A=1":                                   errMember,
		"a=b=c":                                 errMember,
		"a=\x80":                                errMember,
		"a@=1":                                  errMember,
		"a@b@c=1":                               errMember,
		"a@" + strings.Repeat("b", 15) + "=1":   errMember,
		strings.Repeat("a", 242) + "@b=1":       errMember,
		strings.Repeat("a", 257) + "=1":         errMember,
		"a=" + strings.Repeat("1", 257):         errMember,
		"ot=th":                                 errOT,
		"ot=;":                                  errOT,
		"ot=th:8;;":                             errOT,
		"ot=T:8":                                errOT,
		"ot=x:!":                                errOT,
		"ot=rv:0":                               errRV,
		"ot=rv:0000000000000g":                  errRV,
		"ot=th:":                                errTH,
		"ot=th:000000000000000":                 errTH,
		"ot=th:8;rv:01234567890123;th:123456.8": errTH,
	} {
		info, err := ParseTraceState(s)
		assert.Equal(t, want, err, s)
		assert.Equal(t, Info{}, info, s)
		_, refErr := sampling.NewW3CTraceState(s)
		assert.Error(t, refErr, s)

		out, changed, err := Rewrite([]byte("before"), s, 1)
		assert.Equal(t, want, err)
		assert.False(t, changed)
		assert.Equal(t, "before", string(out))
	}
}

func TestRewrite(t *testing.T) {
	quarter := FromProbability(0.25)
	for _, c := range []struct {
		in   string
		th   Threshold
		want string // "" = unchanged
	}{
		{"", quarter, "ot=th:c"},
		{"", Never, ""},
		{"a=1", Never, ""},
		{"ot=th:c", quarter, ""},
		{"ot=th:c0", quarter, "ot=th:c"},
		{"ot=th:d", quarter, ""},
		{"ot=th:8", Never, ""},
		{"ot=th:8,a=1", Never, "a=1"},
		{"a=1,,\tb=2 ,", quarter, "ot=th:c,a=1,b=2"},
		{"a=1,ot=x:1;th:8;y:;rv:ABCDEF01234567;x:2,b=2,a=3", quarter, "ot=rv:ABCDEF01234567;th:c;x:1;y:;x:2,a=1,b=2,a=3"},
		{"otx=1,ot=rvx:1;thy:2", Always, "ot=th:0;rvx:1;thy:2,otx=1"},
	} {
		out, changed, err := Rewrite([]byte("before "), c.in, c.th)
		require.NoError(t, err, c.in)
		if c.in == "ot=th:8" { // nothing is left, and that is a change
			assert.True(t, changed)
			assert.Equal(t, "before ", string(out))
			continue
		}
		assert.Equal(t, c.want != "", changed, c.in)
		assert.Equal(t, "before "+c.want, string(out), c.in)
	}
}

// reference does what contrib's tail sampler does to a kept span's tracestate.
func reference(t testing.TB, in string, th Threshold) (out string, info Info, ok bool) {
	ts, err := sampling.NewW3CTraceState(in)
	if err != nil {
		return in, Info{}, false
	}
	if rnd, has := ts.OTelValue().RValueRandomness(); has {
		info.RV, info.HasRV = rnd.Unsigned(), true
	}
	if in, has := ts.OTelValue().TValueThreshold(); has {
		info.TH, info.HasTH = Threshold(in.Unsigned()), true
	}
	refTH := sampling.NeverSampleThreshold
	if th < Never {
		if refTH, err = sampling.UnsignedToThreshold(uint64(th)); err != nil {
			t.Fatal(err)
		}
	}
	if ts.OTelValue().UpdateTValueWithSampling(refTH) != nil {
		return in, info, true
	}
	var w strings.Builder
	if err := ts.Serialize(&w); err != nil {
		t.Fatal(err)
	}
	return w.String(), info, true
}

func compare(t testing.TB, in string, th Threshold) {
	want, wantInfo, ok := reference(t, in, th)
	info, err := ParseTraceState(in)
	if ok != (err == nil) {
		t.Fatalf("%q: reference accepts: %v, we: %v", in, ok, err)
	}
	info.ot, info.rv = "", ""
	if info != wantInfo {
		t.Fatalf("%q: read %+v, want %+v", in, info, wantInfo)
	}
	out, changed, _ := Rewrite(nil, in, th)
	got := in
	if changed {
		got = string(out)
	}
	if got != want || changed != (got != in) {
		t.Fatalf("%q at %v: wrote %q (changed: %v), want %q", in, th, got, changed, want)
	}
}

var pieces = []string{
	"a=1", "ot=", "th:", "rv:", "8", "c0", "0123456789abcd", "x:y", ";", ";", ",", ",", " ", "\t", "=", ":", "t@sys=v", "A", "\x7f",
	"ot=th:8", "ot=rv:0123456789ABCD;th:c", ",ot=th:ff;k:v-1,", "very/long*key_-=~!",
}

func TestRewriteEqualsReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	accepted := 0
	for range 200_000 {
		var b strings.Builder
		for range rng.IntN(9) {
			b.WriteString(pieces[rng.IntN(len(pieces))])
		}
		th := Threshold(rng.Uint64N(uint64(Never) + 1))
		switch rng.IntN(4) {
		case 0:
			th &= 0xf << 52
		case 1:
			th = Never
		}
		compare(t, b.String(), th)
		if _, err := ParseTraceState(b.String()); err == nil {
			accepted++
		}
	}
	assert.Greater(t, accepted, 20_000, "most random tracestates are malformed: the comparison says little")
}

func FuzzRewrite(f *testing.F) {
	f.Add("", uint64(0))
	f.Add("a=1,ot=x:1;th:8;y:;rv:ABCDEF01234567;x:2,b=2,a=3", uint64(3<<54))
	f.Add(strings.Repeat("a=1,", 31), uint64(Never))
	f.Add("tenant@system=x y , ,ot=th:c", uint64(Never-1))
	f.Add(strings.Repeat("a", 241)+"@"+strings.Repeat("b", 14)+"="+strings.Repeat("c", 256), uint64(1))
	f.Fuzz(func(t *testing.T, s string, th uint64) {
		compare(t, s, min(Threshold(th), Never))
	})
}

func TestNothingAllocates(t *testing.T) {
	const s = "vendor=abc,ot=rv:0123456789abcd;th:8;foo:bar, other=x"
	buf := make([]byte, 0, 128)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := ParseTraceState(s); err != nil {
			t.Fatal(err)
		}
		if _, err := ParseTraceState("ot=th:zz"); err == nil {
			t.Fatal("accepted")
		}
		if _, changed, err := Rewrite(buf, s, 3<<54); !changed || err != nil {
			t.Fatal(changed, err)
		}
	}))
}

func BenchmarkParseTraceState(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseTraceState("ot=rv:0123456789abcd;th:8"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRewrite(b *testing.B) {
	buf := make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := Rewrite(buf, "vendor=abc,ot=rv:0123456789abcd;th:8", 3<<54); err != nil {
			b.Fatal(err)
		}
	}
}
