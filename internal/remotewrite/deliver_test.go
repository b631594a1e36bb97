package remotewrite

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/tsdbutil"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/journal"
)

// everyKind is one of each that a sample can be, at a time.
func everyKind(at int64, i int) []point {
	custom := &histogram.Histogram{
		Schema: histogram.CustomBucketsSchema, Count: 5 + uint64(i), Sum: 18.4 + float64(i),
		PositiveSpans: []histogram.Span{{Offset: 0, Length: 2}}, PositiveBuckets: []int64{3, -1 + int64(i)},
		CustomValues: []float64{0.5, 1, 2.5},
	}
	gaugeHistogram := tsdbutil.GenerateTestGaugeFloatHistogram(int64(i))
	stale := math.Float64frombits(value.StaleNaN)
	return []point{
		{ls: gauge("whole", i), t: at, v: float64(1000 * i)},
		{ls: gauge("broken", i), t: at, v: 0.1 + float64(i), opts: storage.AppendV2Options{
			Exemplars: []exemplar.Exemplar{traceExemplar(fmt.Sprint("a", i, at), at-20), traceExemplar(fmt.Sprint("b", i, at), at)},
		}},
		{ls: gauge("stale", i), t: at, v: stale},
		{ls: gauge("infinite", i), t: at, v: math.Inf(-1)},
		{ls: gauge("minus_zero", i), t: at, v: math.Copysign(0, -1)},
		{ls: gauge("integers", i), t: at, h: tsdbutil.GenerateTestHistogram(int64(i))},
		{ls: gauge("floats", i), t: at, fh: gaugeHistogram, opts: storage.AppendV2Options{
			Exemplars: []exemplar.Exemplar{traceExemplar(fmt.Sprint("c", i, at), at)},
		}},
		{ls: gauge("custom", i), t: at, h: custom},
		{ls: gauge("stale_integers", i), t: at, h: &histogram.Histogram{Sum: stale}},
	}
}

func TestEveryKindArrives(t *testing.T) {
	for _, message := range []Message{Auto, V2} {
		t.Run(string(message), func(t *testing.T) {
			server, local := newServer(t, 0), newLead(t)
			cfg := testConfig(t, server.URL)
			cfg.Message = message
			s := open(t, cfg, local)
			for step := range int64(5) {
				for i := range 20 {
					local.tee(t, s, everyKind(base()+step*15_000, i)...)
				}
			}
			closeWithin(t, s, 10*time.Second)
			require.Equal(t, contents(t, local.DB), contents(t, server.db))
			require.Equal(t, exemplarsOf(t, local.DB), exemplarsOf(t, server.db))
			require.Empty(t, s.Refused())
		})
	}
}

// TestVersion1 has everything but histograms with custom buckets, which are counted.
func TestVersion1(t *testing.T) {
	server, local := newServer(t, 0, remoteapi.WriteV1MessageType), newLead(t)
	cfg := testConfig(t, server.URL)
	s := open(t, cfg, local)
	for step := range int64(5) {
		for i := range 20 {
			local.tee(t, s, everyKind(base()+step*15_000, i)...)
		}
	}
	closeWithin(t, s, 10*time.Second)
	want := contents(t, local.DB)
	for i := range 20 {
		delete(want, gauge("custom", i).String())
	}
	require.Equal(t, want, contents(t, server.db))
	// Not those of native histograms: Prometheus' receiver of version 1 looks at exemplars before it has made the series.
	require.Equal(t, exemplarsOf(t, local.DB, "broken"), exemplarsOf(t, server.db, "broken"))
	require.InDelta(t, 100, testutil.ToFloat64(s.metrics.droppedHistograms.WithLabelValues(reasonCustomBuckets)), 0)
	require.InDelta(t, 1, testutil.ToFloat64(s.metrics.version), 0)
}

// TestOutages stages what servers do. Nothing may be lost and nothing refused.
func TestOutages(t *testing.T) {
	hang := func(w http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body) // the server notices that a client has gone only when it has read the body
		<-r.Context().Done()
		return true
	}
	cut := func(w http.ResponseWriter, r *http.Request) bool { panic(http.ErrAbortHandler) }
	for name, f := range map[string]fault{
		"500":             status(500),
		"503 retry-after": status(503, "Retry-After", "0"),
		"429":             status(429),
		"401":             status(401),
		"404":             status(404),
		"connection cut":  cut,
		"hang":            hang, // longer than the time-out
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, local := newServer(t, 0), newLead(t)
			cfg := testConfig(t, server.URL)
			cfg.Timeout = 50 * time.Millisecond
			if name != "hang" {
				cfg.Timeout = 5 * time.Second
			}
			s := open(t, cfg, local)
			var n atomic.Int64
			server.stage(func(w http.ResponseWriter, r *http.Request) bool { return n.Add(1)%3 != 0 && f(w, r) })
			for step := range int64(20) {
				for i := range 5 {
					local.tee(t, s, everyKind(base()+step*15_000, i)...)
				}
			}
			settled(t, s, local, server)
			if name != "hang" { // there the busy server may have stored what it did not answer for in time
				require.Empty(t, s.Refused())
			}
			require.Positive(t, testutil.ToFloat64(s.metrics.retried.samples))
		})
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	server, local := newServer(t, 0), newLead(t)
	cfg := testConfig(t, server.URL)
	cfg.Queue.MinShards, cfg.Queue.MaxShards = 1, 1
	s := open(t, cfg, local)
	var refusedAt, cameBackAt atomic.Int64
	server.stage(func(w http.ResponseWriter, r *http.Request) bool {
		if refusedAt.CompareAndSwap(0, time.Now().UnixNano()) {
			return status(429, "Retry-After", "1")(w, r)
		}
		cameBackAt.CompareAndSwap(0, time.Now().UnixNano())
		return false
	})
	local.tee(t, s, point{ls: gauge("up", 1), t: base(), v: 1})
	settled(t, s, local, server)
	require.GreaterOrEqual(t, time.Duration(cameBackAt.Load()-refusedAt.Load()), time.Second)
}

// TestOneBadSample is refused alone, whatever the server speaks.
func TestOneBadSample(t *testing.T) {
	for name, messages := range map[string][]remoteapi.WriteMessageType{
		"version 2": {remoteapi.WriteV2MessageType}, "version 1": {remoteapi.WriteV1MessageType},
	} {
		t.Run(name, func(t *testing.T) {
			server := newServer(t, 0, messages...)
			cfg := testConfig(t, server.URL)
			cfg.Queue.MinShards, cfg.Queue.MaxShards = 1, 1
			s := open(t, cfg, nil)
			at := base()
			// A sample that the server has already, newer: what comes for that series is out of order.
			app := server.db.AppenderV2(t.Context())
			_, err := app.Append(0, gauge("up", 42), 0, at+60_000, 1, nil, nil, storage.AppendV2Options{})
			require.NoError(t, err)
			require.NoError(t, app.Commit())

			out := s.AppenderV2(t.Context())
			for i := range 100 {
				_, err := out.Append(0, gauge("up", i), 0, at, float64(i), nil, nil, storage.AppendV2Options{})
				require.NoError(t, err)
			}
			require.NoError(t, out.Commit())
			closeWithin(t, s, 10*time.Second)

			require.Len(t, contents(t, server.db), 100)
			require.Len(t, contents(t, server.db)[gauge("up", 42).String()], 1)
			require.InDelta(t, 99, testutil.ToFloat64(s.metrics.sent.samples), 0)
			require.InDelta(t, 1, testutil.ToFloat64(s.metrics.failed.samples), 0)
			require.InDelta(t, 1, testutil.ToFloat64(s.metrics.refused.WithLabelValues("out_of_order")), 0)
			require.Len(t, s.Refused(), 1)
			if name == "version 1" { // here the server does not say which; the sender has looked
				require.Equal(t, `up{instance="host-042:9100", job="node"}`, s.Refused()[0].Series)
			}
		})
	}
}

// TestFallback covers the ways in which a server says that it does not know version 2.
func TestFallback(t *testing.T) {
	for name, ignorant := range map[string]fault{
		"415": status(415), "406": status(406), "400 without headers": status(400), "204 without headers": status(204),
	} {
		t.Run(name, func(t *testing.T) {
			server, local := newServer(t, 0, remoteapi.WriteV1MessageType), newLead(t)
			server.stage(func(w http.ResponseWriter, r *http.Request) bool {
				return r.Header.Get("Content-Type") == contentTypeV2 && ignorant(w, r)
			})
			s := open(t, testConfig(t, server.URL), local)
			for step := range int64(10) {
				local.tee(t, s, point{ls: gauge("up", 1), t: base() + step*1000, v: 1})
			}
			settled(t, s, local, server)
			poll(t, 10*time.Second, func() bool { return !s.protocol.v2() && s.progress.idle() }, func() {})
			before := server.requests.Load()
			local.tee(t, s, point{ls: gauge("up", 2), t: base(), v: 1})
			settled(t, s, local, server)
			require.Equal(t, before+1, server.requests.Load(), "the fallback is remembered")
		})
	}
	t.Run("not when version 2 is configured", func(t *testing.T) {
		server, local := newServer(t, 0, remoteapi.WriteV1MessageType), newLead(t)
		cfg := testConfig(t, server.URL)
		cfg.Message = V2
		s := open(t, cfg, local)
		local.tee(t, s, point{ls: gauge("up", 1), t: base(), v: 1})
		poll(t, 10*time.Second, func() bool { return server.requests.Load() > 3 }, func() {})
		require.Zero(t, testutil.ToFloat64(s.metrics.failed.samples), "it waits for somebody to repair it")
	})
}

func TestRelabelling(t *testing.T) {
	server := newServer(t, 0)
	cfg := testConfig(t, server.URL)
	cfg.ExternalLabels = labels.FromStrings("cluster", "eu", "job", "loses")
	cfg.WriteRelabel = []*relabel.Config{
		{SourceLabels: model.LabelNames{"__name__"}, Regex: relabel.MustNewRegexp("secret.*"), Action: relabel.Drop, NameValidationScheme: model.UTF8Validation},
		{Regex: relabel.MustNewRegexp("instance"), Action: relabel.LabelDrop, NameValidationScheme: model.UTF8Validation},
	}
	s := open(t, cfg, nil)
	app := s.AppenderV2(t.Context())
	for range 3 {
		for _, name := range []string{"up", "secret_thing"} {
			ref, err := app.Append(0, gauge(name, 1), 0, base(), 7, nil, nil, storage.AppendV2Options{})
			require.NoError(t, err)
			require.NotZero(t, ref, "a dropped series is remembered as well")
		}
	}
	require.NoError(t, app.Commit())
	closeWithin(t, s, 10*time.Second)
	require.Len(t, contents(t, server.db), 1)
	require.Contains(t, contents(t, server.db), labels.FromStrings("__name__", "up", "cluster", "eu", "job", "node").String())
	require.InDelta(t, 3, testutil.ToFloat64(s.metrics.droppedSamples.WithLabelValues(reasonDroppedSeries)), 0)
}

func TestReferences(t *testing.T) {
	t.Run("behind a lead", func(t *testing.T) {
		local := newLead(t)
		local.labels[7] = gauge("up", 7)
		server := newServer(t, 0)
		s := open(t, testConfig(t, server.URL), local)
		app := s.AppenderV2(t.Context())
		for _, c := range []struct {
			ref storage.SeriesRef
			ls  labels.Labels
			ok  bool
		}{
			{7, labels.EmptyLabels(), true}, // asks the lead
			{8, gauge("up", 8), true},       // is told
			{8, labels.EmptyLabels(), true}, // remembers
			{9, labels.EmptyLabels(), false},
			{0, gauge("up", 10), false},
		} {
			ref, err := app.Append(c.ref, c.ls, 0, base(), 1, nil, nil, storage.AppendV2Options{})
			if !c.ok {
				require.ErrorContains(t, err, "invalid sample")
				continue
			}
			require.NoError(t, err)
			require.Equal(t, c.ref, ref)
		}
		require.NoError(t, app.Commit())
		require.Error(t, app.Commit(), "an appender ends once")
	})
	t.Run("alone", func(t *testing.T) {
		s := open(t, testConfig(t, newServer(t, 0).URL), nil)
		app := s.AppenderV2(t.Context())
		first, err := app.Append(0, gauge("up", 1), 0, base(), 1, nil, nil, storage.AppendV2Options{})
		require.NoError(t, err)
		again, err := app.Append(0, gauge("up", 1), 0, base()+1, 1, nil, nil, storage.AppendV2Options{})
		require.NoError(t, err)
		require.Equal(t, first, again)
		other, err := app.Append(0, gauge("up", 2), 0, base(), 1, nil, nil, storage.AppendV2Options{})
		require.NoError(t, err)
		require.NotEqual(t, first, other)
		_, err = app.Append(99, labels.EmptyLabels(), 0, base(), 1, nil, nil, storage.AppendV2Options{})
		require.ErrorContains(t, err, "invalid sample")
		require.NoError(t, app.Rollback())
		for range 3 {
			s.cache.sweep()
		}
		app = s.AppenderV2(t.Context())
		_, err = app.Append(first, labels.EmptyLabels(), 0, base(), 1, nil, nil, storage.AppendV2Options{})
		require.ErrorContains(t, err, "invalid sample", "a series that nobody names is forgotten")
		require.Empty(t, s.cache.byHash)
		require.Empty(t, s.cache.pages)
		require.NoError(t, app.Rollback())
	})
}

func TestSampleAgeLimit(t *testing.T) {
	server := newServer(t, 0)
	cfg := testConfig(t, server.URL)
	cfg.Queue.SampleAgeLimit = model.Duration(10 * time.Minute)
	s := open(t, cfg, nil)
	app := s.AppenderV2(t.Context())
	for _, at := range []int64{base(), time.Now().UnixMilli()} {
		_, err := app.Append(0, gauge("up", 1), 0, at, 1, nil, nil, storage.AppendV2Options{})
		require.NoError(t, err)
	}
	require.NoError(t, app.Commit())
	closeWithin(t, s, 10*time.Second)
	require.Len(t, contents(t, server.db)[gauge("up", 1).String()], 1)
	require.InDelta(t, 1, testutil.ToFloat64(s.metrics.droppedSamples.WithLabelValues(reasonTooOld)), 0)
}

// TestRestartUnderOutages kills nothing but closes and opens the sender again and again while the server comes and goes.
func TestRestartUnderOutages(t *testing.T) {
	server, local := newServer(t, 0), newLead(t)
	cfg := testConfig(t, server.URL)
	random := rand.New(rand.NewPCG(1, 2))
	var sick atomic.Bool
	server.stage(func(w http.ResponseWriter, r *http.Request) bool { return sick.Load() && status(503)(w, r) })
	at := base()
	for range 10 {
		s, err := Open(cfg, local, nil, quiet())
		require.NoError(t, err)
		for range 20 {
			sick.Store(random.IntN(2) == 0)
			at += 1000
			local.tee(t, s, everyKind(at, random.IntN(30))...)
		}
		closeWithin(t, s, 10*time.Second)
		require.Empty(t, s.Refused(), "nothing is sent twice after an orderly end")
	}
	sick.Store(false)
	s := open(t, cfg, local)
	settled(t, s, local, server)
	closeWithin(t, s, 10*time.Second)
	require.Equal(t, exemplarsOf(t, local.DB), exemplarsOf(t, server.db))
}

func TestCloseDoesNotWaitForASilentServer(t *testing.T) {
	server := newServer(t, 0)
	server.stage(status(503))
	s := open(t, testConfig(t, server.URL), nil)
	app := s.AppenderV2(t.Context())
	_, err := app.Append(0, gauge("up", 1), 0, base(), 1, nil, nil, storage.AppendV2Options{})
	require.NoError(t, err)
	require.NoError(t, app.Commit())
	begin := time.Now()
	closeWithin(t, s, time.Minute)
	require.Less(t, time.Since(begin), 10*time.Second)
	late := s.AppenderV2(context.Background())
	_, err = late.Append(0, gauge("up", 1), 0, base(), 1, nil, nil, storage.AppendV2Options{})
	require.NoError(t, err)
	require.ErrorIs(t, late.Commit(), ErrClosed)
}

func TestDirectoryIsLocked(t *testing.T) {
	cfg := testConfig(t, newServer(t, 0).URL)
	open(t, cfg, nil)
	_, err := Open(cfg, nil, nil, quiet())
	require.ErrorContains(t, err, "in use by another remote-write sender")
	require.FileExists(t, filepath.Join(cfg.Directory, "lock"))
}

func TestConfigErrors(t *testing.T) {
	_, err := Open(Config{URL: "not an address", Message: "v3", MaxBytes: 5}, nil, nil, quiet())
	for _, key := range []string{"url", "client", "directory", "protobuf_message", "max_bytes"} {
		require.ErrorContains(t, err, key+":")
	}
}

func TestMetricsOfPrometheus(t *testing.T) {
	server, local := newServer(t, 0), newLead(t)
	cfg := testConfig(t, server.URL)
	cfg.Name = "far"
	reg := prometheus.NewRegistry()
	s, err := Open(cfg, local, reg, quiet())
	require.NoError(t, err)
	_, err = Open(Config{URL: server.URL, Client: http.DefaultClient, Name: "far", Directory: t.TempDir()}, local, reg, quiet())
	require.ErrorContains(t, err, "two remote-write senders of one name")
	local.tee(t, s, everyKind(base(), 1)...)
	settled(t, s, local, server)
	for _, name := range []string{
		"samples_total", "histograms_total", "exemplars_total", "samples_failed_total", "samples_retried_total", "samples_pending",
		"histograms_pending", "exemplars_pending", "bytes_total", "shards", "shards_min", "shards_max", "shards_desired", "shard_capacity",
		"max_samples_per_send", "sent_batch_duration_seconds", "queue_highest_timestamp_seconds", "queue_highest_sent_timestamp_seconds",
	} {
		n, err := testutil.GatherAndCount(reg, upstream+name)
		require.NoError(t, err)
		require.Equal(t, 1, n, name)
	}
	closeWithin(t, s, 10*time.Second)
	families, err := reg.Gather()
	require.NoError(t, err)
	require.Empty(t, families, "a closed sender leaves no metrics behind")
	require.NoError(t, os.RemoveAll(cfg.Directory))
}

// TestPendingCountsWhatWaitsForItsBatch: nothing is in between the journal and a request without being counted.
func TestPendingCountsWhatWaitsForItsBatch(t *testing.T) {
	server, local := newServer(t, 0), newLead(t)
	cfg := testConfig(t, server.URL)
	cfg.Queue.BatchSendDeadline = model.Duration(time.Hour)
	reg := prometheus.NewRegistry()
	s, err := Open(cfg, local, reg, quiet())
	require.NoError(t, err)
	local.tee(t, s, everyKind(base(), 1)...)
	pending := func() (sum float64) {
		families, err := reg.Gather()
		require.NoError(t, err)
		for _, f := range families {
			if strings.HasSuffix(f.GetName(), "_pending") {
				sum += f.GetMetric()[0].GetGauge().GetValue()
			}
		}
		return sum
	}
	all := pending()
	require.Positive(t, all)
	require.Eventually(t, func() bool { return s.journal.Unread().Counts == (journal.Counts{}) }, 10*time.Second, time.Millisecond)
	require.Equal(t, all, pending(), "the pump has read it, no request has been made")
	closeWithin(t, s, 10*time.Second)
	require.Positive(t, server.requests.Load())
}

func TestMetadataTravels(t *testing.T) {
	local := newLead(t)
	server, requests := newRecorder(t)
	s := open(t, testConfig(t, server.URL), local)
	ls := labels.FromStrings("__name__", "http_seconds_bucket", "le", "1")
	local.tee(t, s, point{ls: ls, st: base() - 5000, t: base(), v: 4, opts: storage.AppendV2Options{
		MetricFamilyName: "http_seconds",
		Metadata:         metadata.Metadata{Type: model.MetricTypeHistogram, Help: "How long.", Unit: "seconds"},
	}})
	closeWithin(t, s, 10*time.Second)
	got := requests()
	require.Len(t, got, 1)
	series := got[0].Timeseries[0]
	require.Equal(t, base()-5000, series.Samples[0].StartTimestamp)
	require.Equal(t, "How long.", got[0].Symbols[series.Metadata.HelpRef])
	require.Equal(t, "seconds", got[0].Symbols[series.Metadata.UnitRef])
	require.EqualValues(t, 3, series.Metadata.Type)
}
