package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/journal"
)

func open(t *testing.T, dir string, from journal.Position) *journal.Journal {
	t.Helper()
	j, err := journal.Open(dir, journal.Options{SegmentBytes: 1000, From: from, Sync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, j.Close()) })
	return j
}

// put appends a frame that says n, of about 100 bytes and with one sample at time n.
func put(t *testing.T, j *journal.Journal, n int) {
	t.Helper()
	require.NoError(t, j.Append(func(_ uint32, buf []byte) ([]byte, journal.Summary) {
		s := journal.NoFrames()
		s.Samples = 1
		s.Fresh.Include(int64(n))
		return append(fmt.Appendf(buf, "%06d", n), bytes.Repeat([]byte{'.'}, 50)...), s
	}))
}

// get reads all frames that there are, and the damage among them as -1.
func get(t *testing.T, j *journal.Journal) (numbers []int, last journal.Frame) {
	t.Helper()
	for {
		f, ok, err := j.Next()
		if damage := (*journal.DamageError)(nil); errors.As(err, &damage) {
			numbers = append(numbers, -1)
			continue
		}
		require.NoError(t, err)
		if !ok {
			return numbers, last
		}
		var n int
		_, err = fmt.Sscanf(string(f.Payload), "%06d", &n)
		require.NoError(t, err)
		require.Equal(t, journal.Range{From: int64(n), To: int64(n)}, f.Summary.Fresh)
		numbers, last = append(numbers, n), f
	}
}

func count(from, to int) (out []int) {
	for n := from; n < to; n++ {
		out = append(out, n)
	}
	return out
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.segment"))
	require.NoError(t, err)
	slices.Sort(names)
	return names
}

func TestReadInOrder(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, journal.Position{})
	for n := range 30 {
		put(t, j, n)
	}
	require.Equal(t, 30, j.Unread().Samples)
	got, last := get(t, j)
	require.Equal(t, count(0, 30), got)
	require.Zero(t, j.Unread().Samples)
	require.Equal(t, j.End(), last.End)
	put(t, j, 30)
	got, last = get(t, j)
	require.Equal(t, []int{30}, got)
	require.Len(t, files(t, dir), 4)
	require.NoError(t, j.Release(last.End))
	require.Len(t, files(t, dir), 1)
	require.Less(t, j.Bytes(), int64(1200))
}

// TestReopen starts again at the segment of the position, so that what its frames build on is read as well.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, journal.Position{})
	for n := range 20 {
		put(t, j, n)
	}
	var at journal.Position
	for range 14 {
		f, ok, err := j.Next()
		require.True(t, ok)
		require.NoError(t, err)
		at = f.End
	}
	require.NoError(t, j.Close())

	j = open(t, dir, at)
	require.Equal(t, 6, j.Unread().Samples)
	require.Equal(t, journal.Range{From: 14, To: 19}, j.Unread().Fresh)
	put(t, j, 20)
	got, _ := get(t, j)
	require.Equal(t, count(9, 21), got, "9 is the first of the second segment")
	require.Zero(t, j.Unread().Samples)
}

// TestGiveUp takes the oldest segments from the reader, all of one or what it has not read.
func TestGiveUp(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, journal.Position{})
	for n := range 30 {
		put(t, j, n)
	}
	for range 3 {
		_, ok, err := j.Next()
		require.True(t, ok)
		require.NoError(t, err)
	}
	lost, ok := j.GiveUp()
	require.True(t, ok)
	require.False(t, lost.Whole)
	require.Equal(t, journal.Range{From: 2, To: 2}, lost.Reading.Fresh)
	require.Equal(t, 6, lost.Summary.Samples)
	require.Equal(t, journal.Range{From: 3, To: 8}, lost.Summary.Fresh)
	require.Len(t, files(t, dir), 4, "not before it is removed")
	require.NoError(t, j.Remove(lost.Segment))
	require.Len(t, files(t, dir), 3)

	lost, ok = j.GiveUp()
	require.True(t, ok)
	require.True(t, lost.Whole)
	require.Equal(t, journal.Range{From: 9, To: 17}, lost.Summary.Fresh)
	_, ok = j.GiveUp()
	require.True(t, ok)
	_, ok = j.GiveUp()
	require.False(t, ok, "the last stays")
	got, _ := get(t, j)
	require.Equal(t, count(27, 30), got)
}

func TestDamage(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func([]byte) []byte
		want  []int
	}{
		"payload":           {func(b []byte) []byte { b[16+3*112+60] ^= 1; return b }, append([]int{0, 1, 2, -1}, count(9, 20)...)},
		"header":            {func(b []byte) []byte { b[16+3*112] ^= 1; return b }, append([]int{0, 1, 2, -1}, count(9, 20)...)},
		"cut in a frame":    {func(b []byte) []byte { return b[:16+3*112+70] }, append([]int{0, 1, 2, -1}, count(9, 20)...)},
		"cut in a header":   {func(b []byte) []byte { return b[:16+3*112+5] }, append([]int{0, 1, 2, -1}, count(9, 20)...)},
		"cut between":       {func(b []byte) []byte { return b[:16+3*112] }, append([]int{0, 1, 2}, count(9, 20)...)},
		"segment header":    {func(b []byte) []byte { b[3] ^= 1; return b }, append([]int{-1}, count(9, 20)...)},
		"empty":             {func([]byte) []byte { return nil }, append([]int{-1}, count(9, 20)...)},
		"zeros at the end":  {func(b []byte) []byte { return append(b[:16+3*112], make([]byte, 500)...) }, append([]int{0, 1, 2, -1}, count(9, 20)...)},
		"another's segment": {func(b []byte) []byte { b[8] = 7; return b }, append([]int{-1}, count(9, 20)...)},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			j := open(t, dir, journal.Position{})
			for n := range 20 {
				put(t, j, n)
			}
			require.NoError(t, j.Close())
			first := files(t, dir)[0]
			b, err := os.ReadFile(first)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(first, c.spoil(b), 0o600))
			got, _ := get(t, open(t, dir, journal.Position{}))
			require.Equal(t, c.want, got)
		})
	}
}

// TestDamageSaysWhatIsLost, as far as headers can be read.
func TestDamageSaysWhatIsLost(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, journal.Position{})
	for n := range 20 {
		put(t, j, n)
	}
	require.NoError(t, j.Close())
	b, err := os.ReadFile(files(t, dir)[0])
	require.NoError(t, err)
	b[16+3*112+60] ^= 1
	require.NoError(t, os.WriteFile(files(t, dir)[0], b, 0o600))
	j = open(t, dir, journal.Position{})
	for range 3 {
		_, ok, err := j.Next()
		require.NoError(t, err)
		require.True(t, ok)
	}
	_, _, err = j.Next()
	var damage *journal.DamageError
	require.ErrorAs(t, err, &damage)
	require.False(t, damage.Unknown)
	require.Equal(t, 6, damage.Lost.Samples)
	require.Equal(t, journal.Range{From: 3, To: 8}, damage.Lost.Fresh)
}

// TestOffsetsAreNotUsedAgain: a position that survived while the frames did not must not hide new ones.
func TestOffsetsAreNotUsedAgain(t *testing.T) {
	dir := t.TempDir()
	at := journal.Position{Segment: 5, Offset: 900, Entry: 3}
	j := open(t, dir, at)
	put(t, j, 1)
	got, last := get(t, j)
	require.Equal(t, []int{1}, got)
	require.True(t, at.Before(last.At))
}

// TestFailedWrite: nothing of a frame that could not be written is read, and the next does not build on it.
func TestFailedWrite(t *testing.T) {
	dir := t.TempDir()
	j := open(t, dir, journal.Position{})
	put(t, j, 0)
	before := j.End().Segment
	err := j.Append(func(_ uint32, buf []byte) ([]byte, journal.Summary) {
		return append(buf, make([]byte, 65<<20)...), journal.NoFrames()
	})
	require.ErrorContains(t, err, "too large")
	put(t, j, 1)
	require.Greater(t, j.End().Segment, before)
	got, _ := get(t, j)
	require.Equal(t, []int{0, 1}, got)
	require.NoError(t, j.Close())
	require.ErrorIs(t, j.Append(nil), os.ErrClosed)
}
