//go:build unix && !linux

package supervise

import (
	"errors"
	"syscall"
)

// childAttr gives the child its own process group. There is no parent-death signal outside Linux: a supervisor that is
// killed by SIGKILL leaves its children running here.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// awaitExit does not wait: without waitid(WNOWAIT) the end is first seen by the call that reaps.
func awaitExit(int) bool { return false }

// ReadMemory is not available outside Linux.
func ReadMemory(int) (Memory, error) { return Memory{}, errors.ErrUnsupported }

func portHolder(string) (holder, bool) { return holder{}, false }
