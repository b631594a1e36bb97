package remotewrite

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/journal"
)

// TestRangesAgainstSets compares ranges with sets of the numbers in them.
func TestRangesAgainstSets(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 500 {
		var ranges []journal.Range
		set := map[int64]bool{}
		for range 12 {
			r := journal.Range{From: random.Int64N(40)}
			r.To = r.From + random.Int64N(8)
			add := random.IntN(3) > 0
			if add {
				ranges = insert(ranges, r)
			} else {
				ranges = without(ranges, r)
			}
			for n := r.From; n <= r.To; n++ {
				set[n] = add
			}
		}
		for n := range int64(60) {
			in := false
			for i, r := range ranges {
				in = in || r.Contains(n)
				require.False(t, i > 0 && ranges[i-1].To+1 >= r.From, "ascending, and joined where they touch: %v", ranges)
			}
			require.Equal(t, set[n], in, "%d in %v", n, ranges)
		}
	}
	require.Nil(t, insert(nil, journal.NoTime()))
}

func lostAt(segment uint32, from, to int64) journal.Lost {
	l := journal.Lost{Segment: segment, Summary: journal.NoFrames(), Whole: true, Reading: journal.NoFrames()}
	l.Summary.Fresh = journal.Range{From: from, To: to}
	return l
}

func newLedger(t *testing.T) *ledger {
	l, err := openLedger(filepath.Join(t.TempDir(), "holes.json"), journal.Position{})
	require.NoError(t, err)
	return l
}

// TestLedgerJoinsNeighbours: between two segments that follow each other nothing came, between others something did.
func TestLedgerJoinsNeighbours(t *testing.T) {
	l := newLedger(t)
	for _, lost := range []journal.Lost{lostAt(1, 1000, 2000), lostAt(2, 2500, 3000), lostAt(4, 4000, 5000)} {
		require.NoError(t, l.lose(lost, journal.NoFrames()))
	}
	require.Equal(t, []journal.Range{{From: 1000, To: 3000}, {From: 4000, To: 5000}}, l.state.Holes)
}

// TestLedgerDuringAStep: what is given up while a step is read is covered if it was in the lead before, and only then.
func TestLedgerDuringAStep(t *testing.T) {
	l := newLedger(t)
	require.NoError(t, l.lose(lostAt(1, 1000, 2000), journal.NoFrames()))
	r, ok := l.begin(600, journal.Position{Segment: 5, Offset: 100})
	require.True(t, ok)
	require.Equal(t, journal.Range{From: 1000, To: 1599}, r)
	require.NoError(t, l.lose(lostAt(3, 1200, 1300), journal.NoFrames()))
	require.NoError(t, l.lose(lostAt(5, 1400, 1450), journal.NoFrames()))
	require.NoError(t, l.end())
	require.Equal(t, []journal.Range{{From: 1400, To: 1450}, {From: 1600, To: 2000}}, l.state.Holes)

	skip := l.cover(journal.Position{Segment: 5, Offset: 99})
	require.False(t, among(skip, 999))
	require.True(t, among(skip, 1000))
	require.True(t, among(skip, 1599))
	require.False(t, among(skip, 1600))
	require.Empty(t, l.cover(journal.Position{Segment: 5, Offset: 100}), "later frames may hold what came later")
}

// TestLedgerRemembersMemory: what was in memory when its segment went is a hole if the process died, and none if it was sent.
func TestLedgerRemembersMemory(t *testing.T) {
	l := newLedger(t)
	inMemory := journal.NoFrames()
	inMemory.Fresh = journal.Range{From: 500, To: 900}
	require.NoError(t, l.lose(lostAt(3, 1000, 2000), inMemory))
	for _, c := range []struct {
		oldest uint32
		want   []journal.Range
	}{
		{3, []journal.Range{{From: 500, To: 900}, {From: 1000, To: 2000}}},
		{4, []journal.Range{{From: 1000, To: 2000}}},
	} {
		require.NoError(t, l.save()) // opening it changes it
		again, err := openLedger(l.path, journal.Position{Segment: c.oldest})
		require.NoError(t, err)
		require.Equal(t, c.want, again.state.Holes)
	}
}
