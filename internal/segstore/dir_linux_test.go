package segstore_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tailgate-otel/tailgate/internal/segstore"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "for", "us")
	limit := int64(4 * page)
	d, _ := open(t, dir, limit)
	for _, k := range []struct {
		shard int
		seq   uint64
	}{{10, 1}, {2, 10}, {2, 9}} {
		mem := alloc(t, d, k.shard, k.seq, page)
		mem[page-1] = byte(k.seq)
	}
	d.Free(2, 10, nil)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, dir), []string{"10-1.seg", "2-9.seg", "LOCK"}; !slices.Equal(got, want) {
		t.Fatalf("after close the directory holds %v, want %v", got, want)
	}

	d, found := open(t, dir, limit)
	defer d.Close()
	if len(found) != 2 || found[0].Shard != 2 || found[0].Seq != 9 || found[1].Shard != 10 || found[1].Seq != 1 {
		t.Fatalf("found %+v, want 2-9 and 10-1 in this order", found)
	}
	for _, x := range found {
		if x.Err != nil || len(x.Mem) != page || x.Mem[page-1] != byte(x.Seq) {
			t.Errorf("%d-%d: %d bytes, error %v", x.Shard, x.Seq, len(x.Mem), x.Err)
		}
	}
	if _, err := d.Alloc(0, 1, 3*page); !errors.Is(err, segstore.ErrFull) {
		t.Errorf("segments of a former life do not count: %v", err)
	}
	if _, err := d.Alloc(2, 9, page); !errors.Is(err, os.ErrExist) {
		t.Errorf("the name of an old segment: %v", err)
	}
	d.Free(2, 9, found[0].Mem)
	alloc(t, d, 0, 1, 3*page)
}

// A lowered limit makes room only by freeing.
func TestReopenAboveTheLimit(t *testing.T) {
	dir := t.TempDir()
	d, _ := open(t, dir, 1<<20)
	alloc(t, d, 0, 1, 2*page)
	d.Close()
	d, found := open(t, dir, int64(page))
	defer d.Close()
	if _, err := d.Alloc(0, 2, page); !errors.Is(err, segstore.ErrFull) || len(found) != 1 {
		t.Fatalf("found %d, alloc: %v", len(found), err)
	}
	d.Free(0, 1, found[0].Mem)
	alloc(t, d, 0, 2, page)
}

func TestOddFiles(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]int{
		"1-1.seg": page, "1-2.seg": 100, "1-3.seg": 0, "01-4.seg": page, "x.seg": page, "-1-5.seg": page, "1-+6.seg": page,
		"1-7.seg.tmp": page, "1-8.seg.bad": page, "notes.txt": 3,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(
		os.Mkdir(filepath.Join(dir, "1-9.seg"), 0o700),
		os.Symlink("1-1.seg", filepath.Join(dir, "1-10.seg")),
	); err != nil {
		t.Fatal(err)
	}
	d, found := open(t, dir, 1<<20)
	defer d.Close()
	var good, bad int
	for _, x := range found {
		if x.Err == nil {
			good++
		} else if bad++; x.Mem != nil || !strings.Contains(x.Err.Error(), dir) {
			t.Errorf("%+v", x)
		}
	}
	if good != 1 || bad != 8 || d.Bad() != 8 {
		t.Errorf("%d good, %d bad, %d counted; want 1, 8 and 8", good, bad, d.Bad())
	}
	want := []string{"-1-5.seg.bad", "01-4.seg.bad", "1-+6.seg.bad", "1-1.seg", "1-10.seg.bad", "1-2.seg.bad", "1-3.seg.bad",
		"1-8.seg.bad", "1-9.seg.bad", "LOCK", "notes.txt", "x.seg.bad"}
	if got := names(t, dir); !slices.Equal(got, want) {
		t.Errorf("the directory holds %v, want %v", got, want)
	}
	if d.Used() != int64(page) {
		t.Errorf("%d bytes are used, want those of the good file", d.Used())
	}
}

func TestTwoOpeners(t *testing.T) {
	dir := t.TempDir()
	first, _ := open(t, dir, 1<<20)
	_, _, err := segstore.OpenDir(dir, 1<<20)
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "in use by another") {
		t.Errorf("the second opener: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, _ := open(t, dir, 1<<20)
	again.Close()
}

func TestUnusableDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := segstore.OpenDir(file, 1<<20); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file as directory: %v", err)
	}
}

// A file that cannot be removed counts until it can be.
func TestStuckFile(t *testing.T) {
	const count = 5 // one more than are kept as spares
	dir := t.TempDir()
	d, _ := open(t, dir, int64(count*page))
	defer d.Close()
	for seq := range uint64(count) {
		alloc(t, d, 0, seq, page)
	}
	inTheWay := filepath.Join(dir, "0-4.seg")
	if err := errors.Join(os.Remove(inTheWay), os.MkdirAll(filepath.Join(inTheWay, "full"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for seq := range uint64(count) {
		d.Free(0, seq, nil)
	}
	if d.Stuck() != 1 || d.Used() != int64(page) {
		t.Errorf("%d files are stuck, %d bytes used", d.Stuck(), d.Used())
	}
	if _, err := d.Alloc(0, 9, count*page); !errors.Is(err, segstore.ErrFull) {
		t.Errorf("the room of a stuck file was given away: %v", err)
	}
	if err := os.Remove(filepath.Join(inTheWay, "full")); err != nil {
		t.Fatal(err)
	}
	alloc(t, d, 0, 9, count*page)
	if got, want := names(t, dir), []string{"0-9.seg", "LOCK"}; d.Stuck() != 0 || !slices.Equal(got, want) {
		t.Errorf("%d files are stuck, the directory holds %v, want %v", d.Stuck(), got, want)
	}
}

// A spare is used again, has no name of a segment meanwhile, and is gone when the store is closed.
func TestSpares(t *testing.T) {
	dir := t.TempDir()
	d, _ := open(t, dir, int64(8*page))
	mem := alloc(t, d, 0, 1, page)
	mem[7] = 7
	d.Free(0, 1, mem)
	if got, want := names(t, dir), []string{"LOCK", "spare-1.seg.tmp"}; !slices.Equal(got, want) {
		t.Fatalf("the directory holds %v, want %v", got, want)
	}
	again := alloc(t, d, 3, 4, page)
	if &again[0] != &mem[0] || again[7] != 0 {
		t.Errorf("another mapping, or byte 7 is not zero but %d", again[7])
	}
	d.Free(3, 4, again)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, dir), []string{"LOCK"}; !slices.Equal(got, want) {
		t.Errorf("after close the directory holds %v, want %v", got, want)
	}
}

// A spare that cannot get its new name is not lost twice.
func TestSpareWithoutAName(t *testing.T) {
	dir := t.TempDir()
	d, _ := open(t, dir, int64(page))
	defer d.Close()
	d.Free(0, 1, alloc(t, d, 0, 1, page))
	if err := os.WriteFile(filepath.Join(dir, "0-2.seg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Alloc(0, 2, page); !errors.Is(err, os.ErrExist) || d.Used() != 0 {
		t.Errorf("a name that is taken on disk: %v, %d bytes used", err, d.Used())
	}
	alloc(t, d, 0, 3, page)
	if got, want := names(t, dir), []string{"0-2.seg", "0-3.seg", "LOCK"}; !slices.Equal(got, want) {
		t.Errorf("the directory holds %v, want %v", got, want)
	}
}

// An Alloc that fails half-way leaves no file, no name and no room taken.
func TestFailedAllocLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	d, _ := open(t, dir, int64(page))
	defer d.Close()
	inTheWay := filepath.Join(dir, "0-1.seg.tmp")
	if err := os.Mkdir(inTheWay, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Alloc(0, 1, page); err == nil || errors.Is(err, segstore.ErrFull) || !strings.Contains(err.Error(), dir) {
		t.Fatalf("a directory in the way of the file: %v", err)
	}
	if d.Used() != 0 {
		t.Errorf("%d bytes are used", d.Used())
	}
	if err := os.Remove(inTheWay); err != nil {
		t.Fatal(err)
	}
	alloc(t, d, 0, 1, page)
}

func TestBlocksAreReserved(t *testing.T) {
	dir := t.TempDir()
	d, _ := open(t, dir, 1<<20)
	defer d.Close()
	alloc(t, d, 0, 1, 1<<20)
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(dir, "0-1.seg"), &st); err != nil {
		t.Fatal(err)
	}
	if st.Blocks*512 < 1<<20 {
		t.Errorf("an untouched segment of 1 MiB has %d bytes of disk", st.Blocks*512)
	}
}
