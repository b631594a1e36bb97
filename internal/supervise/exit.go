package supervise

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// tailLines is how many of its last lines a child's Exit carries.
const tailLines = 20

// Exit says how a child ended.
type Exit struct {
	Name string
	PID  int
	// Code is the exit status, or -1 when a signal ended the child.
	Code int
	// Signal is the signal that ended it, or 0.
	Signal syscall.Signal
	// After is how long it ran.
	After time.Duration
	// Ready says whether it had become ready.
	Ready bool
	// Asked says whether Stop had asked it to end.
	Asked bool
	// Killed says that it outlived its StopTimeout and had to be killed.
	Killed bool
	// Lines are the last lines it wrote, oldest first.
	Lines []string
	// Crash is the line "panic: …" or "fatal error: …" of a Go program that crashed, else empty.
	Crash string
	// PeakRSS is its peak resident memory in bytes as far as it was seen, 0 where the system does not tell.
	PeakRSS int64
}

// clean reports whether the end was a proper one: status 0, or the signal that Stop sent and that the child did not
// handle.
func (e Exit) clean() bool {
	if e.Killed {
		return false
	}
	return e.Code == 0 || e.Asked && e.Signal == syscall.SIGTERM
}

func (e Exit) status() string {
	if e.Signal != 0 {
		return "was ended by signal " + e.Signal.String()
	}
	return fmt.Sprintf("ended with exit status %d", e.Code)
}

// ExitError is the end of a child that should not have ended, or not so.
type ExitError struct{ Exit Exit }

// Error is one line: the name, how it ended and when, and its last words.
func (e *ExitError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s ", e.Exit.Name)
	switch {
	case e.Exit.Killed:
		b.WriteString("did not end in time after SIGTERM and was killed")
	case e.Exit.Asked:
		b.WriteString(e.Exit.status() + " when asked to stop")
	case e.Exit.Ready:
		fmt.Fprintf(&b, "%s after %s", e.Exit.status(), e.Exit.After.Round(time.Millisecond))
	default:
		fmt.Fprintf(&b, "%s after %s, before it was ready", e.Exit.status(), e.Exit.After.Round(time.Millisecond))
	}
	if e.Exit.Crash != "" { // the lines after it are of the stack
		b.WriteString("; it crashed: " + e.Exit.Crash)
		return b.String()
	}
	b.WriteString(lastWords(e.Exit.Lines))
	return b.String()
}

// maxWords is where a line is cut in an error; the whole of it stands in the log above.
const maxWords = 200

// lastWords are the last lines that speak of an error, or else the last three, in one line.
func lastWords(lines []string) string {
	var last, bad []string
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if r := []rune(line); len(r) > maxWords {
			line = string(r[:maxWords]) + "…"
		}
		last = append(last, line)
		if strings.Contains(strings.ToLower(line), "error") {
			bad = append(bad, line)
		}
	}
	if len(bad) > 0 {
		last = bad
	}
	if len(last) == 0 {
		return " and wrote nothing"
	}
	return "; its last words: " + strings.Join(last[max(0, len(last)-3):], " | ")
}

// describe fills in what the operating system says about the end.
func (e *Exit) describe(state *os.ProcessState) {
	e.Code = state.ExitCode()
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		e.Signal = ws.Signal()
	}
}
