//go:build unix

package supervise

import (
	"os"

	"golang.org/x/sys/unix"
)

// Memory is the resident memory of a process in bytes.
type Memory struct{ RSS, Peak int64 }

// TerminalSize returns the size of the terminal that f is, and whether f is one at all.
func TerminalSize(f *os.File) (columns, rows int, ok bool) {
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, 0, false
	}
	return int(size.Col), int(size.Row), true
}

// ColorFor reports whether to colour what is written to f: only on a terminal that can, and never when NO_COLOR is set
// to anything (https://no-color.org).
func ColorFor(f *os.File) bool {
	if os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	_, _, ok := TerminalSize(f)
	return ok
}
