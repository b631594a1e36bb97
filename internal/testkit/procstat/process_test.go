package procstat

import (
	"math"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// burn is read by nobody; it keeps the compiler from dropping the loop.
var burn float64

// The loop ends only if work counts; wall time bounds it from below, as one goroutine cannot use more than it lasts.
func TestCPUCountsWork(t *testing.T) {
	start, before := time.Now(), CPU()
	for CPU()-before < 20*time.Millisecond {
		for range 1000 {
			burn += math.Sqrt(burn + 1)
		}
	}
	if wall := time.Since(start); wall < 10*time.Millisecond {
		t.Errorf("20 ms of CPU in %s of one goroutine", wall)
	}
}

// The two ways to read a process must agree about this one; the kernel's ticks are coarser than its rusage.
func TestProcessAgreesWithItself(t *testing.T) {
	self := Process(os.Getpid())
	before := CPU()
	got, err := self.CPU()
	if err != nil {
		t.Fatal(err)
	}
	if after := CPU(); got < before-5*tick || got > after+5*tick {
		t.Errorf("CPU %s by /proc, %s to %s by rusage", got, before, after)
	}
	for CPU()-before < 20*tick {
		for range 1000 {
			burn++
		}
	}
	if more, err := self.CPU(); err != nil || more-got < 15*tick {
		t.Errorf("200 ms of work read as %s, %v", more-got, err)
	}
	if rss, err := self.RSS(); err != nil || rss < 1<<20 {
		t.Errorf("RSS %d, %v", rss, err)
	}
}

func TestAnonymousCountsWhatIsWritten(t *testing.T) {
	self := Process(os.Getpid())
	before, err := self.Anonymous()
	if err != nil {
		t.Fatal(err)
	}
	const size = 64 << 20
	written := make([]byte, size)
	for i := 0; i < size; i += 4096 {
		written[i] = 1
	}
	after, err := self.Anonymous()
	if err != nil || after-before < size*9/10 {
		t.Errorf("64 MiB written are %d more, %v", after-before, err)
	}
	if rss, err := self.RSS(); err != nil || after > rss {
		t.Errorf("%d of %d resident bytes, %v", after, rss, err)
	}
	runtime.KeepAlive(written)
}

func TestProcessThatIsGone(t *testing.T) {
	gone := Process(1 << 30) // beyond the largest id there is, 4,194,304
	if _, err := gone.CPU(); err == nil || !strings.Contains(err.Error(), "1073741824") {
		t.Errorf("CPU: %v", err)
	}
	if _, err := gone.RSS(); err == nil {
		t.Error("RSS of nobody")
	}
	if _, err := gone.Anonymous(); err == nil {
		t.Error("memory of nobody")
	}
}

func TestParseStat(t *testing.T) {
	for stat, want := range map[string]time.Duration{
		"7 (refinery) S 1 7 7 0 -1 4194304 1 2 3 4 123 45 6 7 20 0 9 0 100 1000 200\n": 1680 * time.Millisecond,
		"7 (a) b (c) S 1 7 7 0 -1 4194304 1 2 3 4 1 0 6 7 20 0 9 0 100 1000 200\n":     10 * time.Millisecond,
	} {
		if got, err := parseStat(stat); err != nil || got != want {
			t.Errorf("%q: %s, %v; want %s", stat, got, err, want)
		}
	}
	for _, bad := range []string{"", "7 (refinery) S 1 7", "7 (refinery) S 1 7 7 0 -1 4194304 1 2 3 4 x 45 6 7"} {
		if _, err := parseStat(bad); err == nil {
			t.Errorf("%q was parsed", bad)
		}
	}
}
