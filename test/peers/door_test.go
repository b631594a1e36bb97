package peers

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/tailgate-otel/tailgate/internal/testkit/promserver"
)

// A door stands before a server. Open, it passes connections on; shut, it closes each as it comes, like a balancer whose
// server is away. It keeps its port all the time: a port given up for seconds is soon somebody's own.
type door struct {
	api      promserver.API // of the server, through the door
	behind   string
	listener net.Listener

	mu      sync.Mutex // guards what follows
	opened  bool
	passing map[net.Conn]bool

	workers sync.WaitGroup // the goroutines that accept and copy
}

// newDoor returns a door that is shut.
func newDoor(t *testing.T, server promserver.API) *door {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{
		api: promserver.API("http://" + listener.Addr().String()), behind: strings.TrimPrefix(string(server), "http://"),
		listener: listener, passing: map[net.Conn]bool{},
	}
	d.workers.Go(d.accept)
	t.Cleanup(d.remove)
	return d
}

func (d *door) open() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened = true
}

// remove ends the door and everything that passes.
func (d *door) remove() {
	d.listener.Close()
	d.mu.Lock()
	d.opened = false
	for conn := range d.passing {
		conn.Close()
	}
	d.mu.Unlock()
	d.workers.Wait()
}

func (d *door) accept() {
	for {
		client, err := d.listener.Accept()
		if err != nil {
			return // it was removed
		}
		if !d.enter(client) {
			continue
		}
		server, err := net.Dial("tcp", d.behind)
		if err != nil {
			d.leave(client)
			continue
		}
		if !d.enter(server) {
			d.leave(client)
			continue
		}
		d.workers.Go(func() { d.pass(client, server) })
		d.workers.Go(func() { d.pass(server, client) })
	}
}

// pass copies one way; an end of either way ends both.
func (d *door) pass(to, from net.Conn) {
	_, _ = io.Copy(to, from) // an error is an end like another
	d.leave(to)
	d.leave(from)
}

// enter notes a connection that passes, or closes it when the door is shut.
func (d *door) enter(conn net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.opened {
		conn.Close()
		return false
	}
	d.passing[conn] = true
	return true
}

func (d *door) leave(conn net.Conn) {
	d.mu.Lock()
	defer d.mu.Unlock()
	conn.Close()
	delete(d.passing, conn)
}
