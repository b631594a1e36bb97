package decisionmemory

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// testHash makes every run of a test the same run.
var testHash = hasher{0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0}

var start = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// number makes the id of the n-th trace of a program that has 64-bit ids and counts them up: the worst that is common.
func number(n int) (id [16]byte) {
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	return id
}

func TestAnswers(t *testing.T) {
	kept := Kept{Policy: 3, SubPolicy: 65535, Threshold: 1<<56 - 1, HasThreshold: true}
	type step struct {
		at   time.Duration
		do   string
		id   int
		kept Kept
		want Answer
	}
	for _, tc := range []struct {
		name     string
		settings Settings
		steps    []step
	}{
		{"a kept trace keeps its data", Settings{Kept: 10, Dropped: 10}, []step{
			{do: "keep", id: 1, kept: kept},
			{do: "look", id: 1, want: WasKept, kept: kept},
			{do: "look", id: 2, want: Unknown},
		}},
		{"a later keep replaces the earlier", Settings{Kept: 10}, []step{
			{do: "keep", id: 1, kept: kept},
			{do: "keep", id: 1, kept: Kept{Policy: 9}},
			{do: "look", id: 1, want: WasKept, kept: Kept{Policy: 9}},
		}},
		{"bits of a threshold beyond 56 are cut", Settings{Kept: 10}, []step{
			{do: "keep", id: 1, kept: Kept{Threshold: 0xff<<56 | 7}},
			{do: "look", id: 1, want: WasKept, kept: Kept{Threshold: 7}},
		}},
		{"a dropped trace that is rescued", Settings{Kept: 10, Dropped: 10}, []step{
			{do: "drop", id: 1},
			{do: "look", id: 1, want: WasDropped},
			{do: "forget", id: 1},
			{do: "look", id: 1, want: Unknown},
			{do: "keep", id: 1, kept: kept},
			{do: "look", id: 1, want: WasKept, kept: kept},
		}},
		{"a keep outweighs a drop, whichever came first", Settings{Kept: 10, Dropped: 10}, []step{
			{do: "keep", id: 1, kept: kept},
			{do: "drop", id: 1},
			{do: "drop", id: 2},
			{do: "keep", id: 2, kept: kept},
			{do: "look", id: 1, want: WasKept, kept: kept},
			{do: "look", id: 2, want: WasKept, kept: kept},
		}},
		{"nothing is remembered where nothing is asked for", Settings{Kept: 0, Dropped: -1}, []step{
			{do: "keep", id: 1, kept: kept},
			{do: "drop", id: 2},
			{do: "forget", id: 2},
			{do: "look", id: 1, want: Unknown},
			{do: "look", id: 2, want: Unknown},
		}},
		{"decisions age", Settings{Kept: 10, Dropped: 10, TTL: time.Minute}, []step{
			{do: "keep", id: 1, kept: kept},
			{do: "drop", id: 2},
			{at: 59 * time.Second, do: "look", id: 1, want: WasKept, kept: kept},
			{at: 59 * time.Second, do: "look", id: 2, want: WasDropped},
			{at: 60 * time.Second, do: "look", id: 1, want: Unknown},
			{at: 60 * time.Second, do: "look", id: 2, want: Unknown},
		}},
		{"a decision made again is young again", Settings{Kept: 10, Dropped: 10, TTL: time.Minute}, []step{
			{do: "keep", id: 1, kept: kept},
			{do: "drop", id: 2},
			{at: 50 * time.Second, do: "keep", id: 1, kept: kept},
			{at: 50 * time.Second, do: "drop", id: 2},
			{at: 109 * time.Second, do: "look", id: 1, want: WasKept, kept: kept},
			{at: 109 * time.Second, do: "look", id: 2, want: WasDropped},
		}},
		{"a clock that is set back makes nothing older", Settings{Kept: 10, TTL: time.Minute}, []step{
			{do: "keep", id: 1, kept: kept},
			{at: 30 * time.Second, do: "look", id: 1, want: WasKept, kept: kept},
			{at: -time.Hour, do: "look", id: 1, want: WasKept, kept: kept},
			{at: -time.Hour + 29*time.Second, do: "look", id: 1, want: WasKept, kept: kept},
			{at: -time.Hour + 30*time.Second, do: "look", id: 1, want: Unknown},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := New(tc.settings)
			for i, s := range tc.steps {
				now, id := start.Add(s.at), number(s.id)
				switch s.do {
				case "keep":
					m.Keep(now, id, s.kept)
				case "drop":
					m.Drop(now, id)
				case "forget":
					m.Forget(id)
				case "look":
					if a, d := m.Lookup(now, id); a != s.want || d != s.kept {
						t.Errorf("step %d: trace %d: got %d %+v, want %d %+v", i, s.id, a, d, s.want, s.kept)
					}
				}
			}
		})
	}
}

func TestClock(t *testing.T) {
	var c clock
	for i, s := range []struct{ wall, want time.Duration }{
		{0, 0},
		{time.Second, time.Second},
		{time.Second - time.Millisecond, time.Second}, // waited longer for the lock than the caller before
		{time.Second, time.Second},
		{2 * time.Second, 2 * time.Second},
		{-time.Hour, 2 * time.Second}, // set back
		{-time.Hour + time.Second, 3 * time.Second},
		{time.Hour, 2*time.Hour + 2*time.Second}, // set forward: cannot be told from silence
	} {
		if got := c.advance(start.Add(s.wall)); got != s.want {
			t.Errorf("step %d: at %s the clock says %s, want %s", i, s.wall, got, s.want)
		}
	}
}

// The promise of Settings, at every stage of growth.
func TestRemembersTheLatest(t *testing.T) {
	const limit = 40_000
	m := newSeeded(Settings{Kept: limit, Dropped: limit}, testHash)
	for n := 1; n <= 4*limit; n++ {
		m.Keep(start, number(n), Kept{Threshold: uint64(n)})
		m.Drop(start, number(-n))
		if n%(limit/4) != 0 && n != 100 && n != 1000 && n != 10_000 {
			continue
		}
		for i := n; i > max(0, n-limit); i-- {
			if a, d := m.Lookup(start, number(i)); a != WasKept || d.Threshold != uint64(i) {
				t.Fatalf("after %d keeps number %d: %d %+v", n, i, a, d)
			}
			if a, _ := m.Lookup(start, number(-i)); a != WasDropped {
				t.Fatalf("after %d drops number %d: %d", n, i, a)
			}
		}
	}
	if kept, dropped := m.Len(); kept < limit || kept > limit*33/32+1 || dropped < limit || dropped > 2*limit {
		t.Errorf("%d kept and %d dropped are held, the limit is %d", kept, dropped, limit)
	}
}

func TestBytes(t *testing.T) {
	const limit = 100_000
	m := newSeeded(Settings{Kept: limit, Dropped: limit}, testHash)
	if got := m.Bytes(); got > 8<<10 {
		t.Errorf("an empty memory holds %d bytes", got)
	}
	m.Keep(start, number(1), Kept{})
	m.Drop(start, number(2))
	if got := m.Bytes(); got > 32<<10 {
		t.Errorf("with one decision of either kind it holds %d bytes", got)
	}

	keeps := newSeeded(Settings{Kept: limit}, testHash)
	for n := range 3 * limit {
		keeps.Keep(start, number(n), Kept{})
		if got := float64(keeps.Bytes()) / limit; got > 2.5*22.1 {
			t.Fatalf("growing: after %d keeps %.1f bytes per remembered keep", n, got)
		}
	}
	perKeep := float64(keeps.Bytes()) / limit
	if perKeep > 24 {
		t.Errorf("%.2f bytes per remembered keep, want at most 24", perKeep)
	}

	drops := newSeeded(Settings{Dropped: limit}, testHash)
	perDrop := math.Inf(1)
	for n := range 4 * limit {
		drops.Drop(start, number(n))
		if got := drops.Bytes(); got > 4.27*limit+24<<10 { // eight filters waste half a page each, the rest is fixed
			t.Fatalf("growing: after %d drops %d bytes", n, got)
		}
		if row := drops.drops.row; len(row) == 2 && row[0].count == limit && row[1].count == limit {
			perDrop = float64(drops.Bytes()) / (2 * limit)
		}
	}
	if perDrop > 2.5 {
		t.Errorf("%.2f bytes per remembered drop when both filters are full, want at most 2.5", perDrop)
	}
	t.Logf("%.2f bytes per keep, %.2f bytes per drop", perKeep, perDrop)
}

// With a TTL, memory follows the load down as well as up.
func TestShrinks(t *testing.T) {
	const limit, ttl = 200_000, time.Minute
	m := newSeeded(Settings{Kept: limit, Dropped: limit, TTL: ttl}, testHash)
	now, n := start, 0
	for range limit {
		n++
		m.Keep(now, number(n), Kept{})
		m.Drop(now, number(-n))
	}
	full := m.Bytes()
	for range 40 * 16 { // forty times the TTL of one decision every sixteenth of it
		now = now.Add(ttl / 16)
		n++
		m.Keep(now, number(n), Kept{})
		m.Drop(now, number(-n))
	}
	if quiet := m.Bytes(); quiet > full/20 {
		t.Errorf("%d bytes after a storm, still %d after forty quiet TTLs", full, quiet)
	}
	if kept, dropped := m.Len(); kept > 17 || dropped > 32 {
		t.Errorf("%d kept and %d dropped are held, want at most 17 and 32", kept, dropped)
	}
}

func TestFalsePositives(t *testing.T) {
	const limit, asked = 20_000, 400_000
	for _, held := range []int{limit / 4, limit, limit + limit/4 + limit/16 + limit/64, 2 * limit, 3*limit - 1} {
		for _, ids := range []struct {
			name string
			make func(int) [16]byte
		}{
			{"counted", number},
			{"random", func(n int) (id [16]byte) {
				r := rand.New(rand.NewPCG(uint64(n), 1))
				binary.LittleEndian.PutUint64(id[:8], r.Uint64())
				binary.LittleEndian.PutUint64(id[8:], r.Uint64())
				return id
			}},
		} {
			t.Run(fmt.Sprintf("held=%d/%s", held, ids.name), func(t *testing.T) {
				m := newSeeded(Settings{Dropped: limit}, testHash)
				for n := range held {
					m.Drop(start, ids.make(n))
				}
				wrong := 0
				for n := range asked {
					if a, _ := m.Lookup(start, ids.make(-1-n)); a != Unknown {
						wrong++
					}
				}
				rate := float64(wrong) / asked
				t.Logf("%.3g", rate)
				if rate > 2.5e-4 {
					t.Errorf("%.3g of unknown traces are taken for dropped ones, want at most 2.5e-4", rate)
				}
			})
		}
	}
}

func TestAllocatesNothing(t *testing.T) {
	const limit, ttl = 10_000, time.Hour
	m := newSeeded(Settings{Kept: limit, Dropped: limit, TTL: ttl}, testHash)
	now, n := start, 0
	step := func() {
		n++
		now = now.Add(ttl / (3 * limit)) // three limits to a TTL: count rotates
		m.Keep(now, number(n), Kept{Policy: 1})
		m.Drop(now, number(-n))
		m.Lookup(now, number(n-limit/2))
		m.Lookup(now, number(-n-1))
		if n%10 == 0 {
			m.Forget(number(-n + 5))
		}
	}
	for n < 4*limit {
		step()
	}
	if got := testing.AllocsPerRun(4*limit, step); got != 0 {
		t.Errorf("%v allocations per keep, drop, two lookups and a tenth of a forget", got)
	}
}

func TestHashUsesTheWholeID(t *testing.T) {
	base := testHash.sum([16]byte{})
	for bit := range 128 {
		var id [16]byte
		id[bit/8] = 1 << (bit % 8)
		differ := base ^ testHash.sum(id)
		for _, half := range []uint32{uint32(differ), uint32(differ >> 32)} { // bucket and fingerprint
			if half == 0 {
				t.Errorf("bit %d changes only one half of the hash: %#x", bit, differ)
			}
		}
	}
	a, b := New(Settings{}), New(Settings{})
	if a.hash == b.hash {
		t.Error("two memories share a seed")
	}
}
