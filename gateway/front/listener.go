package front

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
)

// listener counts and limits its open connections, also those that net/http no longer knows of.
type listener struct {
	net.Listener
	notify func(delta int64)
	slots  chan struct{} // one token per open connection; full at the limit
	closed chan struct{}
	once   sync.Once

	mu    sync.Mutex // guards the two below
	conns map[*conn]struct{}
	empty chan struct{} // non-nil while someone waits; closed when the last connection goes
}

func newListener(key, address string, limit int, notify func(int64)) (*listener, error) {
	l, err := net.Listen("tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s: %s is in use by another program: end that, or choose another address", key, address)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return &listener{Listener: l, notify: notify, slots: make(chan struct{}, limit), closed: make(chan struct{}), conns: map[*conn]struct{}{}}, nil
}

// Accept waits for a free slot first, so that a connection beyond the limit stays in the kernel's queue.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	counted := &conn{Conn: c, owner: l}
	l.mu.Lock()
	l.conns[counted] = struct{}{}
	l.mu.Unlock()
	l.notify(1)
	return counted, nil
}

// Close stops accepting.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

func (l *listener) remove(c *conn) {
	l.mu.Lock()
	delete(l.conns, c)
	if len(l.conns) == 0 && l.empty != nil {
		close(l.empty)
		l.empty = nil
	}
	l.mu.Unlock()
	<-l.slots
	l.notify(-1)
}

func (l *listener) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.conns)
}

func (l *listener) waitEmpty(ctx context.Context) error {
	l.mu.Lock()
	if len(l.conns) == 0 {
		l.mu.Unlock()
		return nil
	}
	if l.empty == nil {
		l.empty = make(chan struct{})
	}
	empty := l.empty
	l.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *listener) closeAll() {
	l.mu.Lock()
	all := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		all = append(all, c)
	}
	l.mu.Unlock()
	for _, c := range all {
		_ = c.Close() // given up anyway
	}
	_ = l.Close() // closed already after a drain
}

// conn tells its listener when it closes.
type conn struct {
	net.Conn
	owner *listener
	once  sync.Once
}

// Close closes the connection. Further calls do nothing to the count.
func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(func() { c.owner.remove(c) })
	return err
}

// NetConn is the connection itself, for servers that park its descriptor.
func (c *conn) NetConn() net.Conn { return c.Conn }

// CloseWrite ends our half of the connection. net/http does that before it closes a connection on which the client is
// still sending, so that the client can read the answer.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
