//go:build linux

package park_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/gateway/h1/park"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// owner hands its wakings to a test.
type owner chan park.Cause

func (o owner) Wake(c park.Cause) { o <- c }

func (o owner) next(t *testing.T) park.Cause {
	t.Helper()
	select {
	case c := <-o:
		return c
	case <-time.After(10 * time.Second):
		t.Fatal("not woken within 10s")
		return 0
	}
}

// connect answers both ends of a TCP connection.
func connect(t testing.TB) (client, server *net.TCPConn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close(); s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

func newLot(t testing.TB, s park.Settings) *park.Lot {
	l := park.New(s)
	t.Cleanup(l.Close)
	return l
}

func mustPark(t testing.TB, l *park.Lot, s *park.Spot, c syscall.Conn, o park.Owner, i park.Interest, until time.Time) {
	t.Helper()
	if err := l.Park(s, c, o, i, until); err != nil {
		t.Fatal(err)
	}
}

// TestReadable: bytes wake the owner once, and the same spot serves again.
func TestReadable(t *testing.T) {
	l := newLot(t, park.Settings{})
	client, server := connect(t)
	var spot park.Spot
	woken := make(owner, 8)
	for i := range 3 {
		mustPark(t, l, &spot, server, woken, park.Readable, time.Time{})
		if l.Parked() != 1 {
			t.Fatalf("%d parked", l.Parked())
		}
		if _, err := client.Write([]byte("ab")); err != nil {
			t.Fatal(err)
		}
		if c := woken.next(t); c != park.Ready {
			t.Fatalf("turn %d: woken because of %v", i, c)
		}
		if l.Parked() != 0 {
			t.Fatalf("%d parked after waking", l.Parked())
		}
		if _, err := io.ReadFull(server, make([]byte, 2)); err != nil {
			t.Fatal(err)
		}
	}
	if len(woken) != 0 {
		t.Errorf("%d wakings too many", len(woken))
	}
}

// TestAlreadyReadable: nobody is lost between the last read and Park.
func TestAlreadyReadable(t *testing.T) {
	l := newLot(t, park.Settings{})
	client, server := connect(t)
	if _, err := client.Write([]byte("a")); err != nil {
		t.Fatal(err)
	}
	woken := make(owner, 1)
	mustPark(t, l, new(park.Spot), server, woken, park.Readable, time.Time{})
	if c := woken.next(t); c != park.Ready {
		t.Errorf("woken because of %v", c)
	}
}

// TestHangUp: bytes do not wake who waits for a hang-up, and the peer's half-close does.
func TestHangUp(t *testing.T) {
	l := newLot(t, park.Settings{Tick: time.Millisecond})
	client, server := connect(t)
	woken := make(owner, 2)
	mustPark(t, l, new(park.Spot), server, woken, park.HangUp, time.Time{})
	if _, err := client.Write([]byte("a")); err != nil {
		t.Fatal(err)
	}
	// A second connection that becomes readable later shows that the first one's event was looked at and not reported.
	other, parked := connect(t)
	second := make(owner, 1)
	mustPark(t, l, new(park.Spot), parked, second, park.Readable, time.Time{})
	if _, err := other.Write([]byte("a")); err != nil {
		t.Fatal(err)
	}
	second.next(t)
	if len(woken) != 0 || l.Watched() != 1 {
		t.Fatalf("%d wakings, %d watched", len(woken), l.Watched())
	}
	if err := client.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	woken.next(t)
	if l.Watched() != 0 {
		t.Errorf("%d watched after waking", l.Watched())
	}
}

// TestExpired: the owner is woken when the time is over and not before, and can park again.
func TestExpired(t *testing.T) {
	l := newLot(t, park.Settings{Tick: time.Millisecond})
	_, server := connect(t)
	woken := make(owner, 1)
	var spot park.Spot
	for range 2 {
		until := time.Now().Add(20 * time.Millisecond)
		mustPark(t, l, &spot, server, woken, park.Readable, until)
		if c := woken.next(t); c != park.Expired || time.Now().Before(until) {
			t.Errorf("woken because of %v, %s early", c, time.Until(until))
		}
	}
}

// TestLeave: who left is not woken, and a connection with the number of a closed one is not taken for it.
func TestLeave(t *testing.T) {
	l := newLot(t, park.Settings{Tick: time.Millisecond})
	client, server := connect(t)
	woken := make(owner, 1)
	var spot park.Spot
	if l.Leave(&spot) {
		t.Error("left without having been parked")
	}
	mustPark(t, l, &spot, server, woken, park.Readable, time.Now().Add(5*time.Millisecond))
	if !l.Leave(&spot) || l.Leave(&spot) || l.Parked() != 0 {
		t.Fatalf("Leave did not work once; %d parked", l.Parked())
	}
	if _, err := client.Write([]byte("a")); err != nil {
		t.Fatal(err)
	}
	_, other := connect(t)
	second := make(owner, 1)
	mustPark(t, l, new(park.Spot), other, second, park.Readable, time.Now().Add(50*time.Millisecond))
	if second.next(t); len(woken) != 0 {
		t.Error("woken after leaving")
	}
}

// TestRefusals: a full and a closed lot, and a closed connection, leave the owner in charge.
func TestRefusals(t *testing.T) {
	l := newLot(t, park.Settings{Max: 1})
	_, a := connect(t)
	_, b := connect(t)
	woken := make(owner, 1)
	var first park.Spot
	mustPark(t, l, &first, a, woken, park.Readable, time.Time{})
	if err := l.Park(new(park.Spot), b, woken, park.Readable, time.Time{}); !errors.Is(err, park.ErrFull) {
		t.Errorf("full: %v", err)
	}
	var watched park.Spot
	mustPark(t, l, &watched, b, woken, park.HangUp, time.Time{}) // these are not bounded
	l.Leave(&watched)
	l.Leave(&first)
	b.Close()
	if err := l.Park(new(park.Spot), b, woken, park.Readable, time.Time{}); err == nil {
		t.Error("a closed connection was parked")
	}
	l.Close()
	l.Close()
	if err := l.Park(new(park.Spot), a, woken, park.Readable, time.Time{}); !errors.Is(err, park.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if len(woken) != 0 {
		t.Error("woken although never ready")
	}
}

// TestManyAtOnce: every connection of a crowd is woken exactly once, whatever the order of parking, writing and leaving.
func TestManyAtOnce(t *testing.T) {
	l := newLot(t, park.Settings{Tick: time.Millisecond})
	const crowd = 200
	var all sync.WaitGroup
	for i := range crowd {
		client, server := connect(t)
		all.Go(func() {
			woken := make(owner, 2)
			var spot park.Spot
			for range 5 {
				if err := l.Park(&spot, server, woken, park.Readable, time.Now().Add(time.Minute)); err != nil {
					t.Error(err)
					return
				}
				if i%3 == 0 && l.Leave(&spot) {
					continue
				}
				_, _ = client.Write([]byte("x"))
				if c := woken.next(t); c != park.Ready {
					t.Errorf("woken because of %v", c)
				}
				_, _ = server.Read(make([]byte, 1))
			}
			if len(woken) != 0 {
				t.Error("woken twice")
			}
		})
	}
	all.Wait()
	if l.Parked() != 0 {
		t.Errorf("%d still parked", l.Parked())
	}
}

// BenchmarkPark measures one parking and its end by Leave: what a connection that goes quiet costs beside its wake-up.
func BenchmarkPark(b *testing.B) {
	l := newLot(b, park.Settings{})
	_, server := connect(b)
	var spot park.Spot
	woken := make(owner, 1)
	until := time.Now().Add(time.Hour)
	b.ReportAllocs()
	for b.Loop() {
		mustPark(b, l, &spot, server, woken, park.Readable, until)
		if !l.Leave(&spot) {
			b.Fatal(fmt.Errorf("woken"))
		}
	}
}
