package otlpwire_test

import (
	"math/rand/v2"
	"testing"

	"github.com/tailgate-otel/tailgate/internal/otlpwire"
)

// FuzzParse: for any bytes, pdata and we agree whether they are a request and what it says. The seeds are requests as
// the Collector writes them, the hostile messages of testdata/wire.txt, and what earlier runs found.
func FuzzParse(f *testing.F) {
	f.Add(marshal(f, ordinary(2, 4)))
	for seed := range uint64(20) {
		f.Add(marshal(f, odd(rand.New(rand.NewPCG(seed, 0)))))
	}
	for seed := range uint64(20) {
		f.Add(speaker{Rand: rand.New(rand.NewPCG(seed, 4)), faulty: 1000}.message("request", 9))
	}
	for _, c := range wireCases(f) {
		f.Add(c.bytes)
	}
	f.Fuzz(compare)
}

// TestRandomRequests is the part of FuzzParse that runs always, on many more requests that the Collector could have
// sent, and on the same with their fields the other way round.
func TestRandomRequests(t *testing.T) {
	for seed := range uint64(2000) {
		b := marshal(t, odd(rand.New(rand.NewPCG(seed, 1))))
		compare(t, b)
		compare(t, ascending(b))
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestUnusualRequests compares on requests that nobody sends but anybody may, about half of them with a fault.
func TestUnusualRequests(t *testing.T) {
	const rounds = 5000
	accepted := 0
	for seed := range uint64(rounds) {
		s := speaker{Rand: rand.New(rand.NewPCG(seed, 3)), faulty: 500}
		b := s.message("request", 9)
		compare(t, b)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
		if _, err := otlpwire.Parse(b, otlpwire.Limits{}); err == nil {
			accepted++
		}
	}
	if accepted < rounds/5 || accepted > rounds*4/5 {
		t.Errorf("%d of %d requests are well-formed: the test has lost its balance", accepted, rounds)
	}
}

// TestDamagedRequests breaks well-formed requests in small ways, which reaches deeper than blind fuzzing does.
func TestDamagedRequests(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	for seed := range uint64(300) {
		whole := marshal(t, odd(rand.New(rand.NewPCG(seed, 2))))
		for range 100 {
			b := damage(rnd, whole)
			compare(t, b)
			if t.Failed() {
				t.FailNow()
			}
		}
	}
}

func damage(rnd *rand.Rand, whole []byte) []byte {
	b := append([]byte(nil), whole...)
	for range 1 + rnd.IntN(3) {
		if len(b) == 0 {
			return b
		}
		at := rnd.IntN(len(b))
		switch rnd.IntN(5) {
		case 0:
			b[at] = byte(rnd.Uint32())
		case 1:
			b[at] ^= 1 << rnd.IntN(8)
		case 2:
			b = b[:at]
		case 3:
			b = append(b[:at], b[at+1:]...)
		case 4: // the same bytes twice: repeated fields, sometimes
			end := min(len(b), at+rnd.IntN(40))
			b = append(b[:end:end], b[at:]...)
		}
	}
	return b
}
