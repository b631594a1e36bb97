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

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/receiving"
	"github.com/tailgate-otel/tailgate/internal/promfront"
)

// front answers what a test wants it to.
type front struct {
	tally promfront.Tally
	err   error
	got   int
}

func (f *front) Write(_ context.Context, md pmetric.Metrics) (promfront.Tally, error) {
	f.got += md.DataPointCount()
	return f.tally, f.err
}

func post(t *testing.T, f *front, kind string, body []byte) (status int, answer []byte) {
	t.Helper()
	server := httptest.NewServer(&receiving.OTLP{Front: f, Logger: slog.New(slog.DiscardHandler)})
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", kind)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, answer
}

func request(t *testing.T) pmetricotlp.ExportRequest {
	t.Helper()
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("g")
	m.SetEmptyGauge().DataPoints().AppendEmpty().SetDoubleValue(1)
	return pmetricotlp.NewExportRequestFromMetrics(md)
}

func TestOTLPInBothEncodings(t *testing.T) {
	for kind, marshal := range map[string]func(pmetricotlp.ExportRequest) ([]byte, error){
		"application/x-protobuf":          pmetricotlp.ExportRequest.MarshalProto,
		"application/json; charset=utf-8": pmetricotlp.ExportRequest.MarshalJSON,
	} {
		body, err := marshal(request(t))
		require.NoError(t, err)
		f := &front{}
		status, _ := post(t, f, kind, body)
		assert.Equal(t, http.StatusOK, status, kind)
		assert.Equal(t, 1, f.got, kind)
	}
}

func TestOTLPSaysWhatWasRefused(t *testing.T) {
	f := &front{}
	f.tally.Samples = 99
	f.tally.Refused[0] = 1
	f.tally.Examples[0] = "a{} at 12:00"
	body, err := request(t).MarshalProto()
	require.NoError(t, err)
	status, answer := post(t, f, "application/x-protobuf", body)
	assert.Equal(t, http.StatusOK, status)
	response := pmetricotlp.NewExportResponse()
	require.NoError(t, response.UnmarshalProto(answer))
	assert.EqualValues(t, 1, response.PartialSuccess().RejectedDataPoints())
	assert.Equal(t, "refused: 1 "+promfront.Reason(0).String()+", for example a{} at 12:00", response.PartialSuccess().ErrorMessage())
}

func TestOTLPThatCannotBeStoredIsRetryable(t *testing.T) {
	body, err := request(t).MarshalProto()
	require.NoError(t, err)
	status, answer := post(t, &front{err: errors.New("disk full")}, "application/x-protobuf", body)
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Contains(t, string(answer), "disk full")
}

func TestOTLPThatCannotBeRead(t *testing.T) {
	status, _ := post(t, &front{}, "application/x-protobuf", []byte("no protobuf"))
	assert.Equal(t, http.StatusBadRequest, status)
	status, answer := post(t, &front{}, "text/plain", nil)
	assert.Equal(t, http.StatusUnsupportedMediaType, status)
	assert.Contains(t, string(answer), `"text/plain"`)
}
