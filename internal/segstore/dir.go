package segstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// Dir is a Store in a directory: each segment is a file `<shard>-<seq>.seg`, mapped and shared with the page cache. What
// is written to a segment is safe from the death of the process at that moment, by whatever signal; it is not safe from
// a power cut or the death of the kernel, because nothing is synced.
//
// A file gets its disk blocks before it is handed out. A full disk is thus an error of Alloc, where without it a
// later write to the segment would end the process (SIGBUS). File systems that copy on write can still do that, and
// so can anyone who cuts a segment's file short. Each segment is a mapping of its own: beyond 60,000 segments
// raise vm.max_map_count or choose larger ones.
type Dir struct {
	path  string
	limit int64
	lock  *os.File // holds the flock

	mu     sync.Mutex // guards all below; never held while a file is made or removed
	used   int64
	live   map[key][]byte // nil while the file is being made
	stuck  []stuckFile
	bad    int
	closed bool
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
	if err := d.reserve(k, size); err != nil {
		return nil, err
	}
	mem, err := d.create(k, size)
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

// reserve takes room and the name of a segment.
func (d *Dir) reserve(k key, size int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return fmt.Errorf("segment %s in %s: %w", k, d.path, os.ErrClosed)
	}
	if _, ok := d.live[k]; ok {
		return fmt.Errorf("segment %s in %s: %w", k, d.path, os.ErrExist)
	}
	if int64(size) > d.limit-d.used {
		return full(k, size, d.used, d.limit)
	}
	d.live[k] = nil
	d.used += int64(size)
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

// create makes the file of a segment. It gets its name last: a process that dies before leaves a file that nobody takes
// for a segment.
func (d *Dir) create(k key, size int) (mem []byte, err error) {
	name := d.file(k)
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(os.ErrExist, err)
	}
	made := name + unfinished
	f, err := os.OpenFile(made, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() {
		err = errors.Join(err, f.Close()) // the mapping stays
		if err == nil {
			err = os.Rename(made, name)
		}
		if err != nil {
			if mem != nil {
				err = errors.Join(err, release(mem))
			}
			mem, err = nil, errors.Join(err, os.Remove(made))
		}
	}()
	if err := allocate(f, int64(size)); err != nil {
		return nil, fmt.Errorf("reserve %d bytes on disk: %w", size, err)
	}
	return mapFile(f, size)
}

// Free implements Store.
func (d *Dir) Free(shard int, seq uint64, _ []byte) {
	k := key{shard, seq}
	mem := d.drop(k)
	if mem == nil {
		return
	}
	file := stuckFile{d.file(k), int64(len(mem))}
	err := errors.Join(release(mem), os.Remove(file.path))
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.live, k) // not before the file is gone: its name could be taken again
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.stuck = append(d.stuck, file)
		return
	}
	d.used -= file.size
}

// drop takes the memory of a segment out of the store and leaves its name there.
func (d *Dir) drop(k key) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	mem := d.live[k]
	if mem != nil {
		d.live[k] = nil
	}
	return mem
}

// removeStuck tries again to remove what could not be removed.
func (d *Dir) removeStuck() {
	d.mu.Lock()
	stuck := d.stuck
	d.stuck = nil
	d.mu.Unlock()
	var freed int64
	var still []stuckFile
	for _, s := range stuck {
		if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			still = append(still, s)
			continue
		}
		freed += s.size
	}
	d.mu.Lock()
	d.stuck = append(d.stuck, still...)
	d.used -= freed
	d.mu.Unlock()
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
	d.live = nil
	errs = append(errs, d.lock.Close()) // and with it the flock
	return errors.Join(errs...)
}

func (d *Dir) file(k key) string { return filepath.Join(d.path, k.String()+suffix) }
