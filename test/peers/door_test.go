package peers

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/tailgate-otel/tailgate/internal/testkit/promserver"
)

// A door stands before a server: open it passes connections on, shut it refuses them and cuts those that are open, as a
// server that is away does. The server behind stays as it is.
type door struct {
	api    promserver.API // of the server, through the door
	addr   string
	behind string

	mu       sync.Mutex // guards what follows
	listener net.Listener
	passing  map[net.Conn]bool
	workers  sync.WaitGroup
}

// newDoor returns a door that is shut.
func newDoor(t *testing.T, server promserver.API) *door {
	t.Helper()
	d := &door{behind: strings.TrimPrefix(string(server), "http://"), passing: map[net.Conn]bool{}}
	d.addr = "127.0.0.1:0"
	d.open(t) // to know the address
	d.addr = d.listener.Addr().String()
	d.api = promserver.API("http://" + d.addr)
	d.shut()
	t.Cleanup(d.shut)
	return d
}

func (d *door) open(t *testing.T) {
	t.Helper()
	listener, err := net.Listen("tcp", d.addr)
	if err != nil {
		t.Fatal(err)
	}
	d.mu.Lock()
	d.listener = listener
	d.mu.Unlock()
	d.workers.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // it was shut
			}
			d.workers.Go(func() { d.pass(conn) })
		}
	})
}

// shut waits until nothing passes any more.
func (d *door) shut() {
	d.mu.Lock()
	if d.listener != nil {
		d.listener.Close()
		d.listener = nil
	}
	for conn := range d.passing {
		conn.Close()
	}
	d.mu.Unlock()
	d.workers.Wait()
}

// pass copies both ways until one side closes or the door is shut.
func (d *door) pass(client net.Conn) {
	server, err := net.Dial("tcp", d.behind)
	if err != nil {
		client.Close()
		return
	}
	if !d.enter(client, server) {
		return
	}
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(server, client); server.Close() })
	both.Go(func() { _, _ = io.Copy(client, server); client.Close() })
	both.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.passing, client)
	delete(d.passing, server)
}

// enter notes the connections, or closes them when the door was shut meanwhile.
func (d *door) enter(conns ...net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, conn := range conns {
		if d.listener == nil {
			conn.Close()
			continue
		}
		d.passing[conn] = true
	}
	return d.listener != nil
}
