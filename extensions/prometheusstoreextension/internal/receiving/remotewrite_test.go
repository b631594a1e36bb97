package receiving_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/receiving"
)

type store struct {
	*tsdb.DB
	url      string
	families map[string]metadata.Metadata
}

// broken fails every commit, as a full disk does.
type broken struct{ storage.AppenderV2 }

var errDisk = errors.New("no space left on device")

func (b broken) Commit() error { return errors.Join(errDisk, b.Rollback()) }

type brokenSink struct{ storage.AppendableV2 }

func (s brokenSink) AppenderV2(ctx context.Context) storage.AppenderV2 {
	return broken{s.AppendableV2.AppenderV2(ctx)}
}

func reason(err error) (string, bool) {
	switch {
	case errors.Is(err, storage.ErrOutOfOrderSample):
		return "out_of_order", true
	case errors.Is(err, storage.ErrDuplicateSampleForTimestamp):
		return "duplicate", true
	}
	return "", false
}

func open(t *testing.T, wrap func(storage.AppendableV2) storage.AppendableV2) *store {
	t.Helper()
	opts := tsdb.DefaultOptions()
	opts.EnableExemplarStorage, opts.MaxExemplars = true, 100
	db, err := tsdb.Open(t.TempDir(), nil, nil, opts, nil)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	s := &store{DB: db, families: map[string]metadata.Metadata{}}
	sink := storage.AppendableV2(db)
	if wrap != nil {
		sink = wrap(db)
	}
	server := httptest.NewServer(receiving.NewRemoteWrite(receiving.Settings{
		Sink: sink, Reason: reason, Registerer: prometheus.NewRegistry(), Logger: slog.New(slog.DiscardHandler),
		Describe: func(family string, m metadata.Metadata) { s.families[family] = m },
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *store) post(t *testing.T, kind string, body []byte) (status int, header http.Header, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url, bytes.NewReader(snappy.Encode(nil, body)))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-protobuf;proto="+kind)
	req.Header.Set("Content-Encoding", "snappy")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, resp.Header, string(answer)
}

func (s *store) v1(t *testing.T, req *prompb.WriteRequest) (status int, header http.Header, text string) {
	t.Helper()
	body, err := req.Marshal()
	require.NoError(t, err)
	return s.post(t, "prometheus.WriteRequest", body)
}

func (s *store) v2(t *testing.T, req *writev2.Request) (status int, header http.Header, text string) {
	t.Helper()
	body, err := req.Marshal()
	require.NoError(t, err)
	return s.post(t, "io.prometheus.write.v2.Request", body)
}

func (s *store) count(t *testing.T) (samples int) {
	t.Helper()
	q, err := s.Querier(0, time.Now().Add(time.Hour).UnixMilli())
	require.NoError(t, err)
	defer q.Close()
	set := q.Select(t.Context(), false, nil, labels.MustNewMatcher(labels.MatchRegexp, "__name__", ".+"))
	for set.Next() {
		for it := set.At().Iterator(nil); it.Next() != chunkenc.ValNone; {
			samples++
		}
	}
	require.NoError(t, set.Err())
	return samples
}

func (s *store) exemplars(t *testing.T) (n int) {
	t.Helper()
	q, err := s.ExemplarQuerier(t.Context())
	require.NoError(t, err)
	found, err := q.Select(0, time.Now().Add(time.Hour).UnixMilli(), []*labels.Matcher{labels.MustNewMatcher(labels.MatchRegexp, "__name__", ".+")})
	require.NoError(t, err)
	for _, series := range found {
		n += len(series.Exemplars)
	}
	return n
}

func series1(name string, t int64, v float64) prompb.TimeSeries {
	return prompb.TimeSeries{
		Labels:  []prompb.Label{{Name: "__name__", Value: name}, {Name: "job", Value: "shop"}},
		Samples: []prompb.Sample{{Timestamp: t, Value: v}},
	}
}

func TestOneBadSampleOfAHundredInVersion1(t *testing.T) {
	s := open(t, nil)
	now := time.Now().UnixMilli()
	status, _, _ := s.v1(t, &prompb.WriteRequest{Timeseries: []prompb.TimeSeries{series1("late", now, 1)}})
	require.Equal(t, http.StatusNoContent, status)

	req := &prompb.WriteRequest{Timeseries: []prompb.TimeSeries{series1("late", now-1000, 2)}}
	for i := range 99 {
		req.Timeseries = append(req.Timeseries, series1("good", now+int64(i), float64(i)))
	}
	status, _, text := s.v1(t, req)
	assert.Equal(t, http.StatusBadRequest, status, "the sender learns of it and does not send again")
	assert.Contains(t, text, `refused: 1 out_of_order; the other 99 samples are stored`)
	assert.Contains(t, text, `{__name__="late", job="shop"}`)
	assert.Equal(t, 100, s.count(t))
}

func TestVersion1BringsExemplarsAndMetadata(t *testing.T) {
	s := open(t, nil)
	now := time.Now().UnixMilli()
	series := series1("requests_total", now, 1)
	series.Exemplars = []prompb.Exemplar{ // in the order of value, as histograms bring them
		{Labels: []prompb.Label{{Name: "trace_id", Value: "b"}}, Value: 2, Timestamp: now - 1},
		{Labels: []prompb.Label{{Name: "trace_id", Value: "a"}}, Value: 3, Timestamp: now - 2},
	}
	status, _, text := s.v1(t, &prompb.WriteRequest{
		Timeseries: []prompb.TimeSeries{series},
		Metadata:   []prompb.MetricMetadata{{MetricFamilyName: "requests_total", Type: prompb.MetricMetadata_COUNTER, Help: "Requests."}},
	})
	require.Equal(t, http.StatusNoContent, status, text)
	assert.Equal(t, 2, s.exemplars(t))
	assert.Equal(t, map[string]metadata.Metadata{"requests_total": {Type: "counter", Help: "Requests."}}, s.families)
}

func TestVersion2CountsWhatIsWritten(t *testing.T) {
	s := open(t, nil)
	now := time.Now().UnixMilli()
	symbols := []string{"", "__name__", "a_seconds", "h_seconds", "trace_id", "x"}
	status, header, text := s.v2(t, &writev2.Request{Symbols: symbols, Timeseries: []writev2.TimeSeries{
		{
			LabelsRefs: []uint32{1, 2},
			Samples:    []writev2.Sample{{Timestamp: now, Value: 1}, {Timestamp: now, Value: 1}},
			Exemplars:  []writev2.Exemplar{{LabelsRefs: []uint32{4, 5}, Value: 1, Timestamp: now}},
		},
		{LabelsRefs: []uint32{1, 3}, Histograms: []writev2.Histogram{{
			Timestamp: now, Sum: 1, Count: &writev2.Histogram_CountInt{CountInt: 1},
			ZeroCount: &writev2.Histogram_ZeroCountInt{}, PositiveSpans: []writev2.BucketSpan{{Length: 1}}, PositiveDeltas: []int64{1},
		}}},
		{LabelsRefs: []uint32{1, 99}, Samples: []writev2.Sample{{Timestamp: now, Value: 1}}},
	}})
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, text, "1 malformed")
	assert.Equal(t, "2", header.Get("X-Prometheus-Remote-Write-Samples-Written"))
	assert.Equal(t, "1", header.Get("X-Prometheus-Remote-Write-Histograms-Written"))
	assert.Equal(t, "1", header.Get("X-Prometheus-Remote-Write-Exemplars-Written"))
	assert.Equal(t, 2, s.count(t))
}

func TestAStorageThatFailsIsRetryable(t *testing.T) {
	s := open(t, func(db storage.AppendableV2) storage.AppendableV2 { return brokenSink{db} })
	status, _, text := s.v1(t, &prompb.WriteRequest{Timeseries: []prompb.TimeSeries{series1("a", time.Now().UnixMilli(), 1)}})
	assert.Equal(t, http.StatusInternalServerError, status)
	assert.Contains(t, text, errDisk.Error())
	assert.Zero(t, s.count(t))
}

func TestWhatCannotBeRead(t *testing.T) {
	s := open(t, nil)
	status, _, text := s.post(t, "prometheus.WriteRequest", []byte("no protobuf"))
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Contains(t, text, "malformed request: decode prometheus.WriteRequest")
	status, _, _ = s.post(t, "some.other.Message", nil)
	assert.Equal(t, http.StatusUnsupportedMediaType, status)
}
