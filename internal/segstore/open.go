package segstore

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// What a Dir's files are called. Anything else in the directory is left alone.
const (
	lockName   = "LOCK"
	suffix     = ".seg"
	unfinished = ".tmp" // after suffix, while a segment is made
	setAside   = ".bad" // after suffix, for good
)

// Existing is a segment of a former life. With Err it is a file that cannot be one, which was renamed to `*.bad`, and
// has no Mem; if its name was odd, neither Shard nor Seq.
type Existing struct {
	Shard int
	Seq   uint64
	Mem   []byte
	Err   error
}

// OpenDir opens a directory, making it if needed, and returns the segments that a former life left there, by shard and
// seq. They count against the limit, can be read and written, and are the caller's until freed. No other process, and
// no other Dir, can have the directory open at the same time. What is wrong with single files is in Existing.Err and
// never keeps the directory from being opened.
func OpenDir(dir string, limit int64) (*Dir, []Existing, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("segment directory %s: %w; make it or choose another", dir, err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, nil, err
	}
	d := &Dir{path: dir, limit: limit, lock: lock, live: map[key][]byte{}}
	if err := d.probe(); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("segment directory %s is not writable: %w; make it writable or choose another", dir, err), d.Close())
	}
	found, err := d.readAll()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("segment directory %s: %w", dir, err), d.Close())
	}
	return d, found, nil
}

func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("segment directory %s: %w; make it writable or choose another", dir, err)
	}
	if err := lockFile(f); err != nil {
		err = fmt.Errorf("segment directory %s: %w", dir, err)
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// probe finds out at start-up whether files can be made.
func (d *Dir) probe() error {
	name := filepath.Join(d.path, "probe"+suffix+unfinished)
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		return err
	}
	return os.Remove(name)
}

func (d *Dir) readAll() ([]Existing, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	var found []Existing
	for _, e := range entries {
		name := filepath.Join(d.path, e.Name())
		switch {
		case strings.HasSuffix(name, suffix+unfinished):
			if err := os.Remove(name); err != nil {
				return nil, err
			}
		case strings.HasSuffix(name, suffix):
			x, err := d.readOne(e.Name())
			if err != nil {
				return nil, err
			}
			found = append(found, x)
		}
	}
	slices.SortFunc(found, func(a, b Existing) int {
		return cmp.Or(cmp.Compare(a.Shard, b.Shard), cmp.Compare(a.Seq, b.Seq))
	})
	return found, nil
}

// readOne maps the file of a segment or sets it aside. An error is one that the next file would meet as well.
func (d *Dir) readOne(name string) (Existing, error) {
	k, err := parseName(name)
	x := Existing{Shard: k.shard, Seq: k.seq}
	if err == nil {
		x.Mem, err = mapExisting(filepath.Join(d.path, name))
	}
	if outOfMappings(err) {
		return x, fmt.Errorf("%w; raise vm.max_map_count or choose larger segments", err)
	}
	if err != nil {
		x.Err = fmt.Errorf("segment file %s is left aside as %s: %w", filepath.Join(d.path, name), name+setAside, err)
		d.bad++
		return x, os.Rename(filepath.Join(d.path, name), filepath.Join(d.path, name+setAside))
	}
	d.live[k] = x.Mem
	d.used += int64(len(x.Mem))
	return x, nil
}

func mapExisting(path string) (mem []byte, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	page := int64(os.Getpagesize())
	switch size := info.Size(); {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("not a file: %s", info.Mode())
	case size == 0, size%page != 0, size > maxSize:
		return nil, fmt.Errorf("size of %d bytes is not a number of pages of %d bytes up to %d", size, page, maxSize)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	mem, err = mapFile(f, int(info.Size()))
	if closeErr := f.Close(); err == nil && closeErr != nil {
		return nil, errors.Join(closeErr, release(mem))
	}
	return mem, err
}

// parseName is the inverse of key.String, with the suffix: a name that is written in any other way is not ours.
func parseName(name string) (key, error) {
	shard, seq, ok := strings.Cut(strings.TrimSuffix(name, suffix), "-")
	s, errShard := strconv.Atoi(shard)
	q, errSeq := strconv.ParseUint(seq, 10, 64)
	if k := (key{s, q}); ok && errShard == nil && errSeq == nil && s >= 0 && k.String()+suffix == name {
		return k, nil
	}
	return key{}, fmt.Errorf("name is not <shard>-<seq>%s: %w", suffix, fs.ErrInvalid)
}
