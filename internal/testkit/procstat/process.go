// Package procstat reads from the kernel what a process costs: CPU time and resident memory, of this process and of
// others. It needs Linux, and starts no goroutine.
package procstat

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// CPU is the user and system time that this process has used.
func CPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(fmt.Sprintf("getrusage: %v", err)) // fails for a bad address or selector only
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// A Process is another process, by its id: what the kernel tells of it.
type Process int

// tick is the unit of times in /proc/<pid>/stat: 1/100 s, whatever the kernel itself counts in (proc(5), USER_HZ).
const tick = 10 * time.Millisecond

// CPU is the user and system time that the process has used, children left out.
func (p Process) CPU() (time.Duration, error) {
	raw, err := p.file("stat")
	if err != nil {
		return 0, err
	}
	return parseStat(raw)
}

// RSS is the resident memory of the process in bytes, mapped files included.
func (p Process) RSS() (int64, error) {
	raw, err := p.file("statm")
	if err != nil {
		return 0, err
	}
	var size, resident int64
	if _, err := fmt.Sscan(raw, &size, &resident); err != nil {
		return 0, fmt.Errorf("parse statm %q of process %d: %w", raw, p, err)
	}
	return resident * int64(os.Getpagesize()), nil
}

// Anonymous is the part of RSS that is no file: what the process has written, and cannot be read again from its program.
func (p Process) Anonymous() (int64, error) {
	raw, err := p.file("status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(raw) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "RssAnon: %d kB", &kib); n == 1 { // any other line does not match
			return kib << 10, nil
		}
	}
	return 0, fmt.Errorf("process %d: its status says nothing of RssAnon, which Linux has since 4.5", p)
}

func (p Process) file(name string) (string, error) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(int(p)) + "/" + name)
	if err != nil {
		return "", fmt.Errorf("look at process %d: %w", p, err)
	}
	return string(raw), nil
}

// parseStat adds utime and stime, fields 14 and 15. The second, the name of the program in parentheses, may itself have
// spaces and parentheses: counting starts behind the last one, at field 3.
func parseStat(stat string) (time.Duration, error) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("parse stat %q: want 15 fields and more", stat)
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("parse stat %q: %w", stat, err)
		}
		ticks += n
	}
	return time.Duration(ticks) * tick, nil
}
