package remotewrite

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	remoteapi "github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/journal"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// openDB opens a real database, without or with a window for samples out of order.
func openDB(t testing.TB, window time.Duration) *tsdb.DB {
	t.Helper()
	opts := tsdb.DefaultOptions()
	opts.EnableExemplarStorage = true
	opts.MaxExemplars = 100_000
	opts.OutOfOrderTimeWindow = window.Milliseconds()
	opts.RetentionDuration = (24 * time.Hour).Milliseconds()
	db, err := tsdb.Open(t.TempDir(), quiet(), nil, opts, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// server is Prometheus' own receiving code over a real database, behind a fault that a test can stage.
type server struct {
	*httptest.Server
	db       *tsdb.DB
	requests atomic.Int64
	fault    atomic.Pointer[fault]
}

// A fault answers a request itself and says true, or leaves it to the server.
type fault func(http.ResponseWriter, *http.Request) bool

func newServer(t testing.TB, window time.Duration, messages ...remoteapi.WriteMessageType) *server {
	t.Helper()
	if len(messages) == 0 {
		messages = []remoteapi.WriteMessageType{remoteapi.WriteV1MessageType, remoteapi.WriteV2MessageType}
	}
	s := &server{db: openDB(t, window)}
	handler := remote.NewWriteHandler(quiet(), prometheus.NewRegistry(), s.db, messages, false, false, false)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.requests.Add(1)
		if f := s.fault.Load(); f != nil && (*f)(w, r) {
			return
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *server) stage(f fault) {
	if f == nil {
		s.fault.Store(nil)
		return
	}
	s.fault.Store(&f)
}

// status is the fault of a server that answers everything alike.
func status(code int, header ...string) fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		_, _ = io.Copy(io.Discard, r.Body)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		http.Error(w, "staged", code)
		return true
	}
}

// lead is the local database of a test.
type lead struct {
	*tsdb.DB
	mu     sync.Mutex
	labels map[storage.SeriesRef]labels.Labels
}

func newLead(t testing.TB) *lead {
	return &lead{DB: openDB(t, time.Hour), labels: map[storage.SeriesRef]labels.Labels{}}
}

func (l *lead) Labels(ref storage.SeriesRef) (labels.Labels, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ls, ok := l.labels[ref]
	return ls, ok
}

// point is one sample of a test.
type point struct {
	ls    labels.Labels
	st, t int64
	v     float64
	h     *histogram.Histogram
	fh    *histogram.FloatHistogram
	opts  storage.AppendV2Options
}

// tee commits points to the lead and then to the sender, as the store does.
func (l *lead) tee(t testing.TB, s *Sender, points ...point) {
	t.Helper()
	first, second := l.AppenderV2(t.Context()), s.AppenderV2(t.Context())
	for _, p := range points {
		ref, err := first.Append(0, p.ls, p.st, p.t, p.v, p.h, p.fh, p.opts)
		require.NoError(t, err)
		l.mu.Lock()
		l.labels[ref] = p.ls
		l.mu.Unlock()
		_, err = second.Append(ref, labels.EmptyLabels(), p.st, p.t, p.v, p.h, p.fh, p.opts)
		require.NoError(t, err)
	}
	require.NoError(t, first.Commit())
	require.NoError(t, second.Commit())
}

// testConfig is quick where Prometheus' defaults are patient.
func testConfig(t testing.TB, url string) Config {
	return Config{
		URL: url, Client: http.DefaultClient, Directory: t.TempDir(), SendExemplars: true, SendHistograms: true,
		Timeout: 5 * time.Second,
		Queue: config.QueueConfig{
			MinShards: 3, MaxShards: 3, MaxSamplesPerSend: 100, Capacity: 500,
			BatchSendDeadline: model.Duration(5 * time.Millisecond),
			MinBackoff:        model.Duration(time.Millisecond), MaxBackoff: model.Duration(20 * time.Millisecond),
		},
	}
}

func open(t testing.TB, cfg Config, l Lead) *Sender {
	t.Helper()
	s, err := Open(cfg, l, nil, quiet())
	require.NoError(t, err)
	t.Cleanup(func() { closeWithin(t, s, 20*time.Second) })
	return s
}

func closeWithin(t testing.TB, s *Sender, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	require.NoError(t, s.Close(ctx))
}

// contents are the samples of a database by series, written so that a difference can be read.
func contents(t testing.TB, db *tsdb.DB) map[string][]string {
	t.Helper()
	q, err := db.Querier(math.MinInt64, math.MaxInt64)
	require.NoError(t, err)
	defer q.Close()
	out := map[string][]string{}
	set := q.Select(t.Context(), true, nil, labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, ".*"))
	for set.Next() {
		name := set.At().Labels().String()
		it := set.At().Iterator(nil)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			out[name] = append(out[name], sampleText(kind, it))
		}
		require.NoError(t, it.Err())
	}
	require.NoError(t, set.Err())
	return out
}

func sampleText(kind chunkenc.ValueType, it chunkenc.Iterator) string {
	switch kind {
	case chunkenc.ValHistogram:
		at, h := it.AtHistogram(nil)
		return fmt.Sprintf("%d %x %s %v", at, math.Float64bits(h.Sum), h, h.CustomValues)
	case chunkenc.ValFloatHistogram:
		at, h := it.AtFloatHistogram(nil)
		return fmt.Sprintf("%d %x float %s %v", at, math.Float64bits(h.Sum), h, h.CustomValues)
	}
	at, v := it.At()
	return fmt.Sprintf("%d %x", at, math.Float64bits(v))
}

// exemplarsOf are all exemplars of a database, or those of some metrics.
func exemplarsOf(t testing.TB, db *tsdb.DB, metrics ...string) []string {
	t.Helper()
	q, err := db.ExemplarQuerier(t.Context())
	require.NoError(t, err)
	results, err := q.Select(math.MinInt64, math.MaxInt64, []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, model.MetricNameLabel, ".*")})
	require.NoError(t, err)
	var out []string
	for _, r := range results {
		if len(metrics) > 0 && !slices.Contains(metrics, r.SeriesLabels.Get(model.MetricNameLabel)) {
			continue
		}
		for _, x := range r.Exemplars {
			out = append(out, fmt.Sprint(r.SeriesLabels, x.Labels, x.Value, x.Ts))
		}
	}
	slices.Sort(out)
	return out
}

// settled waits until the sender has nothing left to send, and the server has what the lead has. It does not compare
// before: that would take the processor from the sender.
func settled(t testing.TB, s *Sender, local *lead, server *server) {
	t.Helper()
	expected := contents(t, local.DB)
	idle := 0
	poll(t, time.Minute, func() bool {
		holes, _ := s.ledger.holes()
		if holes > 0 || s.journal.Unread().Counts != (journal.Counts{}) || !s.progress.idle() {
			idle = 0
			return false
		}
		idle++ // more than once: a frame may be between the journal and its batches
		return idle > 2 && maps.EqualFunc(expected, contents(t, server.db), slices.Equal)
	}, func() {
		t.Errorf("holes %v, unread %+v, refused %v", s.ledger.state.Holes, s.journal.Unread().Counts, s.Refused())
		require.Equal(t, expected, contents(t, server.db))
	})
}

// poll waits for a condition of a real process or server, and says with fail what is wrong if it does not come.
func poll(t testing.TB, within time.Duration, done func() bool, fail func()) {
	t.Helper()
	for end := time.Now().Add(within); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			fail()
			t.Fatal("the condition did not come about within ", within)
		}
	}
}

func gauge(name string, i int) labels.Labels {
	return labels.FromStrings("__name__", name, "instance", fmt.Sprintf("host-%03d:9100", i), "job", "node")
}

// base is a time in the past that every database of these tests takes.
func base() int64 { return time.Now().Add(-30 * time.Minute).Truncate(time.Second).UnixMilli() }

func traceExemplar(id string, t int64) exemplar.Exemplar {
	return exemplar.Exemplar{Labels: labels.FromStrings("trace_id", id), Value: float64(t % 100), Ts: t, HasTs: true}
}
