package remotewrite

import (
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/require"
)

// small is a queue that overflows soon.
func small(t testing.TB, url string) Config {
	cfg := testConfig(t, url)
	cfg.MaxBytes = 2 * minSegmentBytes
	cfg.ReadBackStep = time.Minute
	cfg.Queue.Capacity = 200
	return cfg
}

// fill writes steps of a second each from a time on, and returns the time after them.
func fill(t testing.TB, local *lead, s *Sender, at int64, steps int) int64 {
	for range steps {
		var points []point
		for i := range 20 {
			points = append(points, everyKind(at, i)...)
		}
		local.tee(t, s, points...)
		at += 1000
	}
	return at
}

// TestOverflowIsReadBack: the server is away until most of the queue has been given up, then comes back. It takes nothing
// out of order, so that a sample that overtook another of its series would be refused.
func TestOverflowIsReadBack(t *testing.T) {
	server, local := newServer(t, 0), newLead(t)
	cfg := small(t, server.URL)
	s := open(t, cfg, local)
	at := fill(t, local, s, base(), 20)
	settled(t, s, local, server)

	server.stage(status(503))
	at = fill(t, local, s, at, 150)
	holes, _ := s.ledger.holes()
	require.Positive(t, holes)
	require.LessOrEqual(t, s.journal.Bytes(), cfg.MaxBytes)

	server.stage(nil)
	at = fill(t, local, s, at, 20) // while it is read back
	settled(t, s, local, server)
	fill(t, local, s, at, 5)
	settled(t, s, local, server)
	closeWithin(t, s, 10*time.Second)
	require.Equal(t, exemplarsOf(t, local.DB), exemplarsOf(t, server.db))
	require.Empty(t, s.Refused())
	require.Positive(t, testutil.ToFloat64(s.metrics.readBack))
	require.Empty(t, s.ledger.state.Holes)
}

// TestOverflowAcrossRestarts does the same with a server that comes and goes, closing the sender in between.
func TestOverflowAcrossRestarts(t *testing.T) {
	server, local := newServer(t, 0), newLead(t)
	cfg := small(t, server.URL)
	random := rand.New(rand.NewPCG(3, 4))
	var sick atomic.Bool
	server.stage(func(w http.ResponseWriter, r *http.Request) bool { return sick.Load() && status(503)(w, r) })
	at := base()
	for range 5 {
		s, err := Open(cfg, local, nil, quiet())
		require.NoError(t, err)
		for range 6 {
			sick.Store(random.IntN(3) > 0)
			at = fill(t, local, s, at, 15)
		}
		closeWithin(t, s, 10*time.Second)
	}
	sick.Store(false)
	s := open(t, cfg, local)
	settled(t, s, local, server)
}

// TestOverflowAlone has nothing to read back from: the oldest are dropped and counted, the newest arrive.
func TestOverflowAlone(t *testing.T) {
	server := newServer(t, 0)
	cfg := small(t, server.URL)
	s := open(t, cfg, nil)
	server.stage(status(503))
	const total = 40_000
	at := base()
	for from := 0; from < total; from += 1000 {
		app := s.AppenderV2(t.Context())
		for i := from; i < from+1000; i++ {
			_, err := app.Append(0, gauge("up", i%100), 0, at+int64(i), float64(i)+0.5, nil, nil, storage.AppendV2Options{})
			require.NoError(t, err)
		}
		require.NoError(t, app.Commit())
	}
	dropped := testutil.ToFloat64(s.metrics.droppedSamples.WithLabelValues(reasonQueueFull))
	require.Positive(t, dropped)
	require.LessOrEqual(t, s.journal.Bytes(), cfg.MaxBytes)
	server.stage(nil)
	closeWithin(t, s, 20*time.Second)
	sent := testutil.ToFloat64(s.metrics.sent.samples)
	require.InDelta(t, total, sent+dropped, 0, "in = sent + dropped")
	arrived := contents(t, server.db)
	last := arrived[gauge("up", (total-1)%100).String()]
	require.True(t, strings.HasPrefix(last[len(last)-1], sampleAt(at+total-1)), last[len(last)-1])
}

// TestDamagedSegment: one byte is wrong, and what cannot be read comes from the lead.
func TestDamagedSegment(t *testing.T) {
	for name, behind := range map[string]bool{"behind a lead": true, "alone": false} {
		t.Run(name, func(t *testing.T) {
			server, local := newServer(t, 0), newLead(t)
			server.stage(status(503))
			cfg := testConfig(t, server.URL)
			s, err := Open(cfg, local, nil, quiet())
			require.NoError(t, err)
			fill(t, local, s, base(), 20)
			closeWithin(t, s, 10*time.Second)
			spoil(t, cfg.Directory, func(b []byte) []byte { b[len(b)/2] ^= 0x40; return b })

			server.stage(nil)
			if behind {
				s = open(t, cfg, local)
				settled(t, s, local, server)
				closeWithin(t, s, 10*time.Second)
				require.Equal(t, exemplarsOf(t, local.DB), exemplarsOf(t, server.db))
				return
			}
			s = open(t, cfg, nil)
			closeWithin(t, s, 10*time.Second)
			lost := testutil.ToFloat64(s.metrics.droppedSamples.WithLabelValues(reasonDamaged))
			require.Positive(t, lost)
			require.InDelta(t, 20*20*5, lost+testutil.ToFloat64(s.metrics.sent.samples), 0)
		})
	}
}

// TestTornTail: what a power cut leaves of the last frame is read back.
func TestTornTail(t *testing.T) {
	server, local := newServer(t, 0), newLead(t)
	server.stage(status(503))
	cfg := testConfig(t, server.URL)
	s, err := Open(cfg, local, nil, quiet())
	require.NoError(t, err)
	fill(t, local, s, base(), 20)
	closeWithin(t, s, 10*time.Second)
	spoil(t, cfg.Directory, func(b []byte) []byte { return b[:len(b)-100] })
	server.stage(nil)
	s = open(t, cfg, local)
	settled(t, s, local, server)
	require.InDelta(t, 1, testutil.ToFloat64(s.metrics.damaged), 0)
}

// spoil changes the first segment of a queue.
func spoil(t testing.TB, dir string, change func([]byte) []byte) {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(dir, "*.segment"))
	require.NoError(t, err)
	slices.Sort(segments)
	b, err := os.ReadFile(segments[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(segments[0], change(b), 0o600))
}
