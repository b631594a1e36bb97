package park

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// poller is an epoll set. The set is itself watched by the runtime's poller, so that waiting for it takes a goroutine and no
// thread, and closing it ends the wait.
type poller struct {
	fd   int
	file *os.File
	raw  syscall.RawConn
}

func (p *poller) open() error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return fmt.Errorf("create an epoll set: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // os.NewFile asks the runtime to watch only non-blocking descriptors
		return errors.Join(fmt.Errorf("make the epoll set non-blocking: %w", err), unix.Close(fd))
	}
	p.fd, p.file = fd, os.NewFile(uintptr(fd), "epoll")
	if p.raw, err = p.file.SyscallConn(); err != nil {
		return errors.Join(fmt.Errorf("watch the epoll set: %w", err), p.file.Close())
	}
	return nil
}

// arm asks for one event. A descriptor that was closed in between, or is new, is not known to the kernel.
func (p *poller) arm(s *Spot) error {
	e := unix.EpollEvent{Events: unix.EPOLLONESHOT | unix.EPOLLRDHUP, Fd: s.fd, Pad: int32(s.generation)}
	if s.interest == Readable {
		e.Events |= unix.EPOLLIN
	}
	if s.registered {
		if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_MOD, int(s.fd), &e); err != nil {
			return fmt.Errorf("park descriptor %d again: %w", s.fd, err)
		}
		return nil
	}
	if err := unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, int(s.fd), &e); err != nil {
		return fmt.Errorf("park descriptor %d: %w", s.fd, err)
	}
	s.registered = true
	return nil
}

// disarm makes the kernel forget a descriptor. An error says that it is closed, which has the same effect.
func (p *poller) disarm(s *Spot) {
	if unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, int(s.fd), nil) == nil {
		s.registered = false
	}
}

func (p *poller) close() { _ = p.file.Close() } // nothing was written to it

// run waits for events and for time to pass until the set is closed.
func (l *Lot) run() {
	defer close(l.done)
	var events [128]unix.EpollEvent // 1.5 KiB; what does not fit is fetched by the next turn
	var n int
	poll := func(fd uintptr) bool {
		var err error
		for n, err = unix.EpollWait(int(fd), events[:], 0); errors.Is(err, unix.EINTR); {
			n, err = unix.EpollWait(int(fd), events[:], 0)
		}
		return n != 0
	}
	for next := time.Now(); ; {
		if now := time.Now(); !now.Before(next) {
			l.advance(now)
			next = now.Add(l.tick)
			if err := l.poller.file.SetReadDeadline(next); err != nil {
				return // closed
			}
		}
		n = 0
		if err := l.poller.raw.Read(poll); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return // closed
		}
		for _, e := range events[:max(n, 0)] {
			l.happened(e.Fd, uint32(e.Pad))
		}
	}
}
