//go:build !linux

package segstore

import (
	"errors"
	"os"
	"unsafe"
)

// Other systems get a Memory on the Go heap, with the costs that the package is there to avoid, and no Dir.

func mapMemory(size int) ([]byte, error) {
	page := os.Getpagesize()
	mem := make([]byte, size+page)
	skip := (page - int(uintptr(unsafe.Pointer(&mem[0]))%uintptr(page))) % page
	return mem[skip : skip+size : skip+size], nil
}

func release([]byte) error { return nil } // to the garbage collector

func lockFile(*os.File) error {
	return errors.New("keeping segments on disk needs Linux; leave the directory out to keep them in memory")
}

func mapFile(*os.File, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func allocate(*os.File, int64) error { return errors.ErrUnsupported }

func diskFull(error) bool { return false }

func outOfMappings(error) bool { return false }
