package segstore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

func (d *Dir) file(k key) string { return filepath.Join(d.path, k.String()+suffix) }

// create makes the file of a segment. It gets its name last: a process that dies before leaves a file that nobody takes
// for a segment.
func (d *Dir) create(k key, size int) (mem []byte, err error) {
	name := d.file(k)
	if err := absent(name); err != nil {
		return nil, err
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

// reuse makes a spare a segment: the blocks are there, the pages are mapped and zero, only the name is new.
func (d *Dir) reuse(k key, spare spareFile) ([]byte, error) {
	name := d.file(k)
	err := absent(name)
	if err == nil {
		err = os.Rename(spare.path, name)
	}
	if err != nil {
		return nil, errors.Join(err, spare.remove())
	}
	return spare.mem, nil
}

// wipe makes a segment a spare, if it is given a name for it and can be renamed. It takes the segment's name away
// before its contents: a process that dies in between leaves no half of it.
func (d *Dir) wipe(k key, mem []byte, spareName string) (spareFile, bool) {
	if spareName == "" || os.Rename(d.file(k), spareName) != nil {
		return spareFile{}, false
	}
	clear(mem)
	return spareFile{spareName, mem}, true
}

func (s spareFile) remove() error {
	return errors.Join(release(s.mem), removeFile(s.path))
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
		if removeFile(s.path) != nil {
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

// absent fails if a file is there: a rename would silently replace it.
func absent(name string) error {
	_, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(os.ErrExist, err)
}

// removeFile removes a file; one that is not there is as good as removed.
func removeFile(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
