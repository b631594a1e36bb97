// Package receiving takes samples that other processes push to the store's HTTP interface: Prometheus remote write 1.0
// and 2.0. The protocol is upstream's; what is written is decided here, because upstream's handler gives up a whole
// request of version 1 for one sample that is out of order, and takes no start time or metadata of version 2.
//
// A request is one batch. What the store refuses is counted by reason and named in the answer, the rest is stored; only an
// error of the storage itself answers 5xx, with nothing written, so that the sender tries again. There is no queue.
package receiving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/exp/api/remote"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"github.com/prometheus/prometheus/storage"
)

// Settings are where samples go and how what the store answers is understood.
type Settings struct {
	Sink storage.AppendableV2
	// Reason classifies an error of Append; it reports false for one that is not about the sample.
	Reason func(error) (string, bool)
	// Describe takes the metadata that version 1 sends without samples.
	Describe   func(family string, m metadata.Metadata)
	Registerer prometheus.Registerer
	Logger     *slog.Logger
}

type remoteWrite struct {
	Settings
	refused *prometheus.CounterVec
	taken   prometheus.Counter
}

// NewRemoteWrite returns the handler of /api/v1/write.
func NewRemoteWrite(s Settings) http.Handler {
	rw := &remoteWrite{
		Settings: s,
		taken: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "prometheusstore_remote_write_received_samples_total",
			Help: "Samples and histograms that came by remote write and were stored.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "prometheusstore_remote_write_refused_samples_total",
			Help: "Samples and histograms that came by remote write and were refused, by reason; the rest of their request was stored.",
		}, []string{"reason"}),
	}
	s.Registerer.MustRegister(rw.taken, rw.refused)
	return remote.NewWriteHandler(rw, remote.MessageTypes{remote.WriteV1MessageType, remote.WriteV2MessageType},
		remote.WithWriteHandlerLogger(s.Logger))
}

// Store implements what remote.NewWriteHandler asks for. The body is decompressed by then.
func (rw *remoteWrite) Store(r *http.Request, message remote.WriteMessageType) (*remote.WriteResponse, error) {
	response := remote.NewWriteResponse()
	response.SetStatusCode(http.StatusInternalServerError)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return response, fmt.Errorf("read the request: %w", err)
	}
	batch := newBatch(rw.Sink.AppenderV2(r.Context()), rw.Reason)
	err = rw.fill(r.Context(), batch, message, body)
	if err == nil {
		err = batch.failure
	}
	if err != nil {
		if errors.Is(err, errMalformed) {
			response.SetStatusCode(http.StatusBadRequest)
		}
		return response, errors.Join(err, batch.Rollback())
	}
	if err := batch.Commit(); err != nil {
		return response, fmt.Errorf("commit to the store: %w", err)
	}
	rw.count(batch)
	response.Add(batch.written)
	if batch.refusals() > 0 {
		response.SetStatusCode(http.StatusBadRequest)
		return response, batch.report()
	}
	response.SetStatusCode(http.StatusNoContent)
	return response, nil
}

// errMalformed says that a request cannot be read; sending it again is of no use.
var errMalformed = errors.New("malformed request")

func (rw *remoteWrite) fill(ctx context.Context, b *batch, message remote.WriteMessageType, body []byte) error {
	if message == remote.WriteV1MessageType {
		var request prompb.WriteRequest
		if err := request.Unmarshal(body); err != nil {
			return fmt.Errorf("%w: decode prometheus.WriteRequest: %w", errMalformed, err)
		}
		for i := range request.Metadata {
			m := &request.Metadata[i]
			rw.Describe(m.MetricFamilyName, metadataOf(m))
		}
		for i := range request.Timeseries {
			b.version1(&request.Timeseries[i])
		}
		return context.Cause(ctx)
	}
	var request writev2.Request
	if err := request.Unmarshal(body); err != nil {
		return fmt.Errorf("%w: decode io.prometheus.write.v2.Request: %w", errMalformed, err)
	}
	for i := range request.Timeseries {
		b.version2(&request.Timeseries[i], request.Symbols)
	}
	return context.Cause(ctx)
}

func (rw *remoteWrite) count(b *batch) {
	rw.taken.Add(float64(b.written.AllSamples()))
	for reason, n := range b.refused {
		rw.refused.WithLabelValues(reason).Add(float64(n))
	}
}
