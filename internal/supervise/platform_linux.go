package supervise

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// childAttr gives the child its own process group, so that a terminal's Ctrl-C reaches the supervisor alone, and has
// the kernel kill it when the supervisor is gone. SIGKILL, because a child that ignores SIGTERM would stay; all that we
// supervise survive it by design.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// awaitExit returns true when the process has ended, leaving it unreaped.
func awaitExit(pid int) bool {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return err == nil
		}
	}
}

// ReadMemory reads the resident memory of a process and its peak from /proc/<pid>/status, proc(5).
func ReadMemory(pid int) (Memory, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Memory{}, fmt.Errorf("read memory of process %d: %w", pid, err)
	}
	defer func() { _ = f.Close() }() // read only
	var m Memory
	for sc := bufio.NewScanner(f); sc.Scan(); {
		key, value, _ := strings.Cut(sc.Text(), ":")
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			continue // most lines are something else
		}
		switch key {
		case "VmRSS":
			m.RSS = kib << 10
		case "VmHWM":
			m.Peak = kib << 10
		}
	}
	return m, nil
}

// portHolder finds the process that listens on a TCP port: the socket's inode from /proc/net/tcp and tcp6, then the
// process with a descriptor on it. It finds nothing for processes of other users.
func portHolder(addr string) (holder, bool) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return holder{}, false
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return holder{}, false
	}
	inodes := make(map[string]bool)
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		listeningInodes(table, uint16(number), inodes)
	}
	if len(inodes) == 0 {
		return holder{}, false
	}
	return inodeHolder(inodes)
}

// listeningInodes adds the inodes of sockets in state LISTEN (0A) on the port. Columns: sl local_address rem_address st
// tx:rx tr:tm->when retrnsmt uid timeout inode.
func listeningInodes(table string, port uint16, into map[string]bool) {
	data, err := os.ReadFile(table)
	if err != nil {
		return // no IPv6, or no /proc: the message is then without a holder
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) < 10 || f[3] != "0A" {
			continue
		}
		_, hexPort, _ := strings.Cut(f[1], ":")
		if b, err := hex.DecodeString(hexPort); err == nil && len(b) == 2 && uint16(b[0])<<8|uint16(b[1]) == port {
			into[f[9]] = true
		}
	}
}

func inodeHolder(inodes map[string]bool) (holder, bool) {
	fds, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return holder{}, false
	}
	for _, fd := range fds {
		target, err := os.Readlink(fd)
		if err != nil {
			continue // gone, or another user's
		}
		inode := strings.TrimSuffix(strings.TrimPrefix(target, "socket:["), "]")
		if inode == target || !inodes[inode] {
			continue
		}
		dir := filepath.Dir(filepath.Dir(fd))
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		name, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil {
			continue
		}
		return holder{name: strings.TrimSpace(string(name)), pid: pid}, true
	}
	return holder{}, false
}
