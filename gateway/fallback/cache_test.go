package fallback

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func fixture(t testing.TB, bytes int) (*Cache, *Chain) {
	t.Helper()
	cache, err := NewCache(bytes)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := New(Settings{Steps: []Step{{Cached: &Cached{MaxBodyBytes: cache.maxBody()}}}}, cache)
	if err != nil {
		t.Fatal(err)
	}
	return cache, chain
}

func to(path string) Query {
	return Query{Route: "r", Request: httptest.NewRequest(http.MethodGet, path, nil)}
}

// twin is the dumbest cache: a list in order of use, the newest last.
type twin struct {
	max  int
	list []twinEntry
}

type twinEntry struct {
	path, body string
	size       int
}

func (w *twin) take(path string) (twinEntry, bool) {
	for i, e := range w.list {
		if e.path == path {
			w.list = append(w.list[:i:i], w.list[i+1:]...)
			return e, true
		}
	}
	return twinEntry{}, false
}

func (w *twin) put(e twinEntry) {
	w.take(e.path)
	w.list = append(w.list, e)
	for w.bytes() > w.max {
		w.list = w.list[1:]
	}
}

func (w *twin) bytes() (n int) {
	for _, e := range w.list {
		n += e.size
	}
	return n
}

// TestAgainstTwin: same entries, same bytes, same victims as the list, at random.
func TestAgainstTwin(t *testing.T) {
	cache, chain := fixture(t, 512<<10)
	if len(cache.shards) != 1 {
		t.Fatal("the twin has one order of use")
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	list, now := &twin{max: cache.shards[0].max}, epoch
	for step := range 20_000 {
		path := fmt.Sprint("/", rnd.IntN(120))
		now = now.Add(refreshAfter)
		if rnd.IntN(2) == 0 {
			body := strings.Repeat("x", rnd.IntN(cache.maxBody())) // the cache is full from the 30th on
			c := chain.Capture(to(path), 200, http.Header{}, int64(len(body)), trace.SpanContext{}, now)
			c.Write([]byte(body))
			e := c.entry
			c.Commit()
			list.put(twinEntry{path, body, e.size})
		} else {
			res := cache.serve(to(path), 365*24*time.Hour, now)
			want, ok := list.take(path)
			if ok {
				list.list = append(list.list, want)
			}
			if (res != nil) != ok || ok && string(res.Body) != want.body {
				t.Fatalf("step %d: %s: served %t, the list has it %t", step, path, res != nil, ok)
			}
		}
		if s := cache.Stats(); s.Bytes != list.bytes() || s.Entries != len(list.list) {
			t.Fatalf("step %d: %d bytes in %d entries, the list has %d in %d", step, s.Bytes, s.Entries, list.bytes(), len(list.list))
		}
	}
	if cache.Stats().Evicted < 1000 {
		t.Error("hardly anything was evicted")
	}
}

// TestBoundHoldsAtEveryMoment: many captures at once, of unknown length, more than there is room for.
func TestBoundHoldsAtEveryMoment(t *testing.T) {
	const most = 1 << 20
	cache, chain := fixture(t, most)
	stop, watched := make(chan struct{}), make(chan Stats)
	go func() {
		var highest Stats
		for {
			s := cache.Stats()
			highest.Bytes, highest.CapturingBytes = max(highest.Bytes, s.Bytes), max(highest.CapturingBytes, s.CapturingBytes)
			select {
			case <-stop:
				watched <- highest
				return
			default:
				runtime.Gosched()
			}
		}
	}()
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			part := make([]byte, 3000)
			for i := range 300 {
				c := chain.Capture(to(fmt.Sprintf("/%d/%d", worker, i)), 200, http.Header{}, -1, trace.SpanContext{}, epoch)
				for range i % 25 {
					c.Write(part)
				}
				c.Commit()
			}
		})
	}
	wg.Wait()
	close(stop)
	// The two parts are looked at one by one: in a commit, a body counts in both for a moment.
	if high := <-watched; high.Bytes > most-most/8 || high.CapturingBytes > most/8 {
		t.Errorf("held %d bytes and %d in captures, the bound is 7/8 and 1/8 of %d", high.Bytes, high.CapturingBytes, most)
	}
	s := cache.Stats()
	if s.CapturingBytes != 0 || s.Stored+s.Abandoned != 16*300 {
		t.Errorf("%+v", s)
	}
}

func TestRecentAddressesCostNoAllocation(t *testing.T) {
	_, chain := fixture(t, 8<<20)
	q, h := to("/a/b?c=d"), http.Header{"Content-Type": {"text/plain"}}
	chain.Capture(q, 200, h, 0, trace.SpanContext{}, epoch).Commit()
	if n := testing.AllocsPerRun(100, func() {
		if chain.Capture(q, 200, h, 0, trace.SpanContext{}, epoch) != nil {
			t.Fatal("captured again within a second")
		}
		if _, ok := chain.Next(0, q, false, epoch); !ok {
			t.Fatal("not served")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDirectives(f *testing.F) {
	for _, s := range []string{"", "max-age=60", `private="a,b"`, `x="`, ",,,", "max-age=99999999999999999999", "no-store , public", "="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d := directives(http.Header{"Cache-Control": {s}})
		for _, v := range []time.Duration{d.maxAge, d.sMaxAge, d.staleIfError} {
			if v < -1 || v > 365*24*time.Hour {
				t.Fatalf("%q: %s", s, v)
			}
		}
		if d.noStore && !strings.Contains(strings.ToLower(s), "no-store") {
			t.Fatalf("%q: no-store", s)
		}
		// What is added behind an even number of quotes is always seen.
		if strings.Count(s, `"`)%2 == 0 && !directives(http.Header{"Cache-Control": {s + ",no-store"}}).noStore {
			t.Fatalf("%q hides a no-store", s)
		}
	})
}

func BenchmarkCapture(b *testing.B) {
	_, chain := fixture(b, 8<<20)
	q, h, body := to("/a/b?c=d"), http.Header{"Content-Type": {"text/plain"}, "Cache-Control": {"max-age=60, public"}}, make([]byte, 1024)
	b.Run("recent", func(b *testing.B) {
		b.ReportAllocs()
		chain.Capture(q, 200, h, 0, trace.SpanContext{}, epoch).Commit()
		for b.Loop() {
			chain.Capture(q, 200, h, 1024, trace.SpanContext{}, epoch)
		}
	})
	b.Run("1KiB", func(b *testing.B) {
		b.ReportAllocs()
		for now := epoch; b.Loop(); {
			now = now.Add(refreshAfter)
			c := chain.Capture(q, 200, h, 1024, trace.SpanContext{}, now)
			c.Write(body)
			c.Commit()
		}
	})
	b.Run("serve", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			chain.Next(0, q, false, epoch)
		}
	})
}
