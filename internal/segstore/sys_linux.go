package segstore

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is the size of a transparent huge page on amd64, and on arm64 with pages of 4 KiB.
const hugePage = 2 << 20

const readWrite = unix.PROT_READ | unix.PROT_WRITE

// mapMemory returns zeroed pages of no file. Whole multiples of hugePage are aligned to it and asked to be made of such:
// then writing them for the first time takes
// 250 to 600 µs/MiB instead of 1,100 (BenchmarkSegment, two busy cores).
func mapMemory(size int) ([]byte, error) {
	huge := size%hugePage == 0
	room := size
	if huge {
		room += hugePage
	}
	start, err := unix.MmapPtr(-1, 0, nil, uintptr(room), readWrite, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	mem := unsafe.Slice((*byte)(start), room)
	if !huge {
		return mem, nil
	}
	skip := int(-uintptr(start) % hugePage)
	before, mem, after := mem[:skip], mem[skip:skip+size], mem[skip+size:]
	if err := errors.Join(release(before), release(after)); err != nil {
		return nil, errors.Join(err, release(mem))
	}
	_ = unix.Madvise(mem, unix.MADV_HUGEPAGE) // a kernel without them says no, and does without
	return mem, nil
}

// mapFile maps the first size bytes of a file, to be read and written.
func mapFile(f *os.File, size int) ([]byte, error) {
	start, err := unix.MmapPtr(int(f.Fd()), 0, nil, uintptr(size), readWrite, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map %d bytes: %w", size, err)
	}
	return unsafe.Slice((*byte)(start), size), nil
}

// release unmaps what either of the above returned. It fails if the kernel would have to split a mapping, as it merges
// neighbours without a file, and the process has as many as it may.
func release(mem []byte) error {
	if len(mem) == 0 {
		return nil
	}
	return unix.MunmapPtr(unsafe.Pointer(&mem[0]), uintptr(len(mem)))
}

// allocate makes an empty file size bytes long and gets it its disk blocks. Where the file system cannot reserve blocks,
// they are got by writing them.
func allocate(f *os.File, size int64) error {
	for {
		switch err := unix.Fallocate(int(f.Fd()), 0, 0, size); {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS):
			return writeZeros(f, size)
		default:
			return err
		}
	}
}

func writeZeros(f *os.File, size int64) error {
	zeros := make([]byte, min(size, 1<<20))
	for at := int64(0); at < size; at += int64(len(zeros)) {
		if _, err := f.WriteAt(zeros[:min(size-at, int64(len(zeros)))], at); err != nil {
			return err
		}
	}
	return nil
}

// lockFile takes the lock that goes with the open file and falls with its last descriptor, however the process ends.
func lockFile(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return errors.New("in use by another process or component; give each a directory of its own, or stop the other")
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w; choose a file system with flock", f.Name(), err)
	}
	return nil
}

func diskFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

func outOfMappings(err error) bool { return errors.Is(err, unix.ENOMEM) }
