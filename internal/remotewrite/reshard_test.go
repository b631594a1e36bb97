package remotewrite

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/require"
)

// TestDesiredShards follows from the time that a sample takes and the samples that come and wait.
func TestDesiredShards(t *testing.T) {
	for name, c := range map[string]struct {
		now, want int
		in        int64         // samples in 10 s
		each      time.Duration // for one sample
	}{
		"enough":           {now: 4, in: 40_000, each: time.Millisecond, want: 4},
		"within tolerance": {now: 4, in: 50_000, each: time.Millisecond, want: 4},
		"too few":          {now: 4, in: 80_000, each: time.Millisecond, want: 8},
		"slower server":    {now: 4, in: 40_000, each: 3 * time.Millisecond, want: 12},
		"too many":         {now: 20, in: 40_000, each: time.Millisecond, want: 4},
		"never above max":  {now: 4, in: 4_000_000, each: time.Millisecond, want: 30},
		"never below min":  {now: 10, in: 10, each: time.Millisecond, want: 2},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t, "http://127.0.0.1:1")
			cfg.Queue = config.QueueConfig{MinShards: 2, MaxShards: 30}
			s := open(t, cfg, nil)
			p := &pump{s: s, open: make([]*batch, c.now)}
			begin := time.Now()
			last := rates{at: begin}
			next := rates{at: begin.Add(10 * time.Second), in: c.in, out: 1000, sending: 1000 * c.each}
			require.Equal(t, c.want, p.desired(last, next))
		})
	}
}

// TestShardsChangeInOrder changes the number of shards between samples of the same series.
func TestShardsChangeInOrder(t *testing.T) {
	server, local := newServer(t, 0), newLead(t)
	cfg := testConfig(t, server.URL)
	cfg.Queue.MinShards, cfg.Queue.MaxShards = 1, 64
	s, err := Open(cfg, local, nil, quiet())
	require.NoError(t, err)
	closeWithin(t, s, 10*time.Second)
	at := base()
	for _, n := range []int{1, 7, 64, 3} { // positions of one division are read by another
		cfg.Queue.MinShards, cfg.Queue.MaxShards = n, n
		s, err := Open(cfg, local, nil, quiet())
		require.NoError(t, err)
		at = fill(t, local, s, at, 5)
		server.stage(status(503))
		at = fill(t, local, s, at, 5)
		closeWithin(t, s, 10*time.Second)
		require.Empty(t, s.Refused())
		server.stage(nil)
	}
	s = open(t, cfg, local)
	settled(t, s, local, server)
}

// TestMetadataVersion1: version 1 sends what the families are by itself.
func TestMetadataVersion1(t *testing.T) {
	server := newServer(t, 0)
	cfg := testConfig(t, server.URL)
	cfg.Message = V1
	cfg.Metadata = config.MetadataConfig{Send: true, SendInterval: model.Duration(5 * time.Millisecond), MaxSamplesPerSend: 10}
	s, err := Open(cfg, nil, prometheus.NewRegistry(), quiet())
	require.NoError(t, err)
	app := s.AppenderV2(t.Context())
	_, err = app.Append(0, labels.FromStrings("__name__", "a_total"), 0, base(), 1, nil, nil, storage.AppendV2Options{
		MetricFamilyName: "a", Metadata: metadata.Metadata{Type: model.MetricTypeCounter, Help: "A."},
	})
	require.NoError(t, err)
	require.NoError(t, app.Commit())
	poll(t, 10*time.Second, func() bool { return testutil.ToFloat64(s.metrics.metadata) > 0 }, func() {})
	closeWithin(t, s, 10*time.Second)
}

func TestThrottle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var th throttle
		require.True(t, th.pass())
		require.False(t, th.pass())
		time.Sleep(sayEvery)
		require.True(t, th.pass())
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "nonsense": 0, "99999999": maxRetryAfter,
		"Fri, 02 Jan 2026 03:05:05 GMT": time.Minute, "Fri, 02 Jan 2026 03:00:00 GMT": 0,
	} {
		require.Equal(t, want, retryAfter(text, now), text)
	}
}

func TestReasons(t *testing.T) {
	for message, want := range map[string]string{
		"out of order sample": "out_of_order", "too old sample": "too_old", "out of bounds": "out_of_bounds",
		"duplicate sample for timestamp": "duplicate", "invalid labels for series, duplicated label x": "invalid_labels",
		"per-user series limit of 10 exceeded": "limit", "": "other", "no idea": "other",
	} {
		require.Equal(t, want, reasonOf(message), message)
	}
}

// TestAppendAllocatesNothing for series that are known, with metadata that is known.
func TestAppendAllocatesNothing(t *testing.T) {
	server := newServer(t, 0)
	server.stage(status(503))
	s := open(t, testConfig(t, server.URL), nil)
	app := s.AppenderV2(t.Context())
	opts := storage.AppendV2Options{MetricFamilyName: "up", Metadata: metadata.Metadata{Type: model.MetricTypeGauge, Help: "Up."}}
	var refs []storage.SeriesRef
	for i := range 200 {
		ref, err := app.Append(0, gauge("up", i), 0, base(), 1, nil, nil, opts)
		require.NoError(t, err)
		refs = append(refs, ref)
	}
	round := func() {
		for _, ref := range refs {
			if _, err := app.Append(ref, labels.EmptyLabels(), 0, 1, 1, nil, nil, opts); err != nil {
				t.Fatal(err)
			}
		}
		a := app.(*appender)
		a.batch.Reset() // as Commit does when it gives the batch back
	}
	round()
	require.Zero(t, testing.AllocsPerRun(50, round))
	require.NoError(t, app.Rollback())
}
