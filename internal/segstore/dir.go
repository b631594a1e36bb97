package segstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// Dir is a Store in a directory: each segment is a file `<shard>-<seq>.seg`, mapped and shared with the page cache. What
// is written to a segment is safe from the death of the process at that moment, by whatever signal; it is not safe from
// a power cut or the death of the kernel, because nothing is synced.
//
// A file gets its disk blocks before it is handed out. A full disk is thus an error of Alloc, where without it a
// later write to the segment would end the process (SIGBUS). File systems that copy on write can still do that, and
// so can anyone who cuts a segment's file short. Freed files are used again, wiped; those that wait for it have names that
// OpenDir takes for no segment. Each segment is a mapping of its own: beyond 60,000 segments
// raise vm.max_map_count or choose larger ones.
type Dir struct {
	path  string
	limit int64
	lock  *os.File // holds the flock
	bad   int      // files set aside by OpenDir

	mu      sync.Mutex // guards all below; never held while a file is made or removed, but for a spare that is in the way
	used    int64
	live    map[key][]byte // nil while the file is being made or removed
	spares  []spareFile    // zero; used and spares together stay within limit
	leaving int            // segments being freed, still counted in used
	renamed int            // numbers the spares
	stuck   []stuckFile
	closed  bool
}

// A spareFile is a freed segment, wiped and still mapped, under a name that the next OpenDir removes.
type spareFile struct {
	path string
	mem  []byte
}

// A stuckFile could not be removed. It still counts, because it still takes up the disk.
type stuckFile struct {
	path string
	size int64
}

// Alloc implements Store.
func (d *Dir) Alloc(shard int, seq uint64, size int) ([]byte, error) {
	k := key{shard, seq}
	size, err := pages(k, size)
	if err != nil {
		return nil, err
	}
	d.removeStuck()
	spare, err := d.reserve(k, size)
	if err != nil {
		return nil, err
	}
	var mem []byte
	if spare.mem != nil {
		mem, err = d.reuse(k, spare)
	} else {
		mem, err = d.create(k, size)
	}
	if err != nil {
		d.settle(k, size, nil)
		if diskFull(err) {
			err = fmt.Errorf("%w: %w; make room on the disk or lower the limit of %d", ErrFull, err, d.limit)
		}
		return nil, fmt.Errorf("segment %s in %s: %w", k, d.path, err)
	}
	if !d.settle(k, size, mem) {
		err := errors.Join(os.ErrClosed, release(mem), os.Remove(d.file(k)))
		return nil, fmt.Errorf("segment %s in %s: %w", k, d.path, err)
	}
	return mem, nil
}

// reserve takes room and the name of a segment, and a spare if there is one of that size.
func (d *Dir) reserve(k key, size int) (spare spareFile, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return spare, fmt.Errorf("segment %s in %s: %w", k, d.path, os.ErrClosed)
	}
	if _, ok := d.live[k]; ok {
		return spare, fmt.Errorf("segment %s in %s: %w", k, d.path, os.ErrExist)
	}
	if int64(size) > d.limit-d.used {
		return spare, full(k, size, d.used, d.limit)
	}
	i := slices.IndexFunc(d.spares, func(s spareFile) bool { return len(s.mem) == size })
	if i >= 0 {
		spare = d.spares[i]
		d.spares = slices.Delete(d.spares, i, i+1)
	} else if err := d.makeRoom(k, size); err != nil {
		return spare, err
	}
	d.live[k] = nil
	d.used += int64(size)
	return spare, nil
}

// makeRoom removes spares until size more bytes are within the limit. mu held.
func (d *Dir) makeRoom(k key, size int) error {
	held := d.used
	for _, s := range d.spares {
		held += int64(len(s.mem))
	}
	for int64(size) > d.limit-held && len(d.spares) > 0 {
		last := len(d.spares) - 1
		s := d.spares[last]
		d.spares = slices.Delete(d.spares, last, last+1)
		if s.remove() != nil {
			d.stuck = append(d.stuck, stuckFile{s.path, int64(len(s.mem))})
			d.used += int64(len(s.mem))
			continue
		}
		held -= int64(len(s.mem))
	}
	if int64(size) > d.limit-held {
		return full(k, size, held, d.limit)
	}
	return nil
}

// settle ends what reserve began: with the memory, or with nil to give back room and name. False: the store was closed
// meanwhile.
func (d *Dir) settle(k key, size int, mem []byte) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		d.used -= int64(size)
		return false
	}
	if mem == nil {
		delete(d.live, k)
		d.used -= int64(size)
		return true
	}
	d.live[k] = mem
	return true
}

// Free implements Store.
func (d *Dir) Free(shard int, seq uint64, _ []byte) {
	k := key{shard, seq}
	mem, spareName := d.take(k)
	if mem == nil {
		return
	}
	spare, kept := d.wipe(k, mem, spareName)
	var err error
	if !kept {
		err = spareFile{d.file(k), mem}.remove()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.leaving--
	delete(d.live, k) // not before the file is gone: its name could be taken again
	switch {
	case err != nil:
		d.stuck = append(d.stuck, stuckFile{d.file(k), int64(len(mem))})
		return
	case kept && d.closed:
		_ = spare.remove() // if it fails the next OpenDir does it
	case kept:
		d.spares = append(d.spares, spare)
	}
	d.used -= int64(len(mem))
}

// take takes a segment out of the caller's hands and leaves its name there. The second result is the name to keep it
// under as a spare, or empty.
func (d *Dir) take(k key) (mem []byte, spareName string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if mem = d.live[k]; mem == nil {
		return nil, ""
	}
	d.live[k] = nil
	if len(d.spares)+d.leaving < maxSpare {
		d.renamed++
		spareName = filepath.Join(d.path, fmt.Sprintf("spare-%d%s%s", d.renamed, suffix, unfinished))
	}
	d.leaving++
	return mem, spareName
}

// Used implements Store. Files of a former life count, and so do those that could not be removed.
func (d *Dir) Used() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.used
}

// Limit implements Store.
func (d *Dir) Limit() int64 { return d.limit }

// Bad returns how many files of a former life were left aside as `*.bad`, and Stuck how many freed ones could not be
// removed so far. A stuck file would come back as a segment when the directory is next opened.
func (d *Dir) Bad() int { return d.bad }

// Stuck is described at Bad.
func (d *Dir) Stuck() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.stuck)
}

// Close implements Store. The files stay for the next OpenDir.
func (d *Dir) Close() error {
	d.removeStuck()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	var errs []error
	for _, mem := range d.live {
		if mem != nil { // else it is being made or freed, by someone who will find the store closed
			d.used -= int64(len(mem))
			errs = append(errs, release(mem))
		}
	}
	for _, s := range d.spares {
		errs = append(errs, s.remove())
	}
	d.live, d.spares = nil, nil
	errs = append(errs, d.lock.Close()) // and with it the flock
	return errors.Join(errs...)
}
