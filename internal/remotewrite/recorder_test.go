package remotewrite

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"github.com/gogo/protobuf/proto"
	"github.com/klauspost/compress/s2"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
)

// newRecorder is a server of version 2 that keeps what it gets, for what a database does not store.
func newRecorder(t testing.TB) (*httptest.Server, func() []*writev2.Request) {
	var mu sync.Mutex
	var requests []*writev2.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		raw, err := s2.Decode(nil, body)
		request := &writev2.Request{}
		if err == nil {
			err = proto.Unmarshal(raw, request)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		samples, histograms, exemplars := 0, 0, 0
		for _, s := range request.Timeseries {
			samples, histograms, exemplars = samples+len(s.Samples), histograms+len(s.Histograms), exemplars+len(s.Exemplars)
		}
		w.Header().Set(writtenSamples, strconv.Itoa(samples))
		w.Header().Set(writtenHistograms, strconv.Itoa(histograms))
		w.Header().Set(writtenExemplars, strconv.Itoa(exemplars))
		w.WriteHeader(http.StatusNoContent)
		mu.Lock()
		defer mu.Unlock()
		requests = append(requests, request)
	}))
	t.Cleanup(server.Close)
	return server, func() []*writev2.Request {
		mu.Lock()
		defer mu.Unlock()
		return requests
	}
}
