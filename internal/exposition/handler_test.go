package exposition_test

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/internal/exposition"
)

func TestNegotiation(t *testing.T) {
	r := newRig(t, exposition.Options{})
	open := newRig(t, exposition.Options{OpenMetrics: true})
	// What Prometheus 3 sends.
	prometheus := "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5," +
		"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
	for _, tc := range []struct {
		accept, plain, open string
	}{
		{"", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"},
		{prometheus, "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8", "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"},
		{"application/openmetrics-text", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", "application/openmetrics-text; version=0.0.1; charset=utf-8; escaping=underscores"},
		{acceptProtobuf, "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=underscores", "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=underscores"},
	} {
		_, header := r.get(tc.accept)
		assert.Equal(t, tc.plain, header.Get("Content-Type"), tc.accept)
		_, header = open.get(tc.accept)
		assert.Equal(t, tc.open, header.Get("Content-Type"), tc.accept)
	}
	s := open.x.Stats()
	assert.Equal(t, []uint64{1, 2, 1, 0}, []uint64{s.TextScrapes, s.OpenMetricsScrapes, s.ProtobufScrapes, s.FailedScrapes})
}

func TestCompression(t *testing.T) {
	for _, tc := range []struct {
		mode           exposition.Compression
		from, accepted string
		want           string
	}{
		{exposition.CompressRemote, "192.0.2.1:1", "gzip", "gzip"},
		{exposition.CompressRemote, "192.0.2.1:1", "gzip, zstd", "zstd"},
		{exposition.CompressRemote, "192.0.2.1:1", "zstd;q=0.5,gzip;q=0.9", "gzip"},
		{exposition.CompressRemote, "192.0.2.1:1", "gzip;q=0", ""},
		{exposition.CompressRemote, "192.0.2.1:1", "gzip;q=oops, br", ""},
		{exposition.CompressRemote, "192.0.2.1:1", "", ""},
		{exposition.CompressRemote, "127.0.0.1:1", "gzip", ""},
		{exposition.CompressRemote, "[::1]:1", "gzip", ""},
		{exposition.CompressRemote, "@", "gzip", ""},
		{exposition.CompressAlways, "127.0.0.1:1", "gzip", "gzip"},
		{exposition.CompressAlways, "127.0.0.1:1", "", ""},
		{exposition.CompressNever, "192.0.2.1:1", "gzip", ""},
	} {
		r := newRig(t, exposition.Options{Compression: tc.mode})
		r.push("# TYPE g gauge\n" + strings.Repeat("g 1\n", 1))
		for range 2 { // the second one with a compressor that was used before
			req := httptest.NewRequest(http.MethodGet, "/metrics", nil)
			req.RemoteAddr = tc.from
			req.Header.Set("Accept-Encoding", tc.accepted)
			w := httptest.NewRecorder()
			r.x.ServeHTTP(w, req)
			assert.Equal(t, tc.want, w.Header().Get("Content-Encoding"), "%+v", tc)
			assert.Equal(t, "# HELP g \n# TYPE g gauge\ng 1\n", plain(t, w.Body, tc.want), "%+v", tc)
		}
	}
}

func plain(t *testing.T, body io.Reader, encoding string) string {
	switch encoding {
	case "gzip":
		z, err := gzip.NewReader(body)
		require.NoError(t, err)
		body = z
	case "zstd":
		z, err := zstd.NewReader(body)
		require.NoError(t, err)
		defer z.Close()
		body = z
	}
	page, err := io.ReadAll(body)
	require.NoError(t, err)
	return string(page)
}

func TestFamiliesByName(t *testing.T) {
	r := newRig(t, exposition.Options{})
	r.push("# TYPE a gauge\na 1\n# TYPE b gauge\nb 2\n# TYPE c gauge\nc 3\n")
	page, _ := scrape(t, r.x, "/metrics?name[]=a&name[]=c&name[]=z", acceptText)
	assert.Equal(t, "# HELP a \n# TYPE a gauge\na 1\n# HELP c \n# TYPE c gauge\nc 3\n", page)
}

type brokenWriter struct{ http.ResponseWriter }

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("gone") }

// A page that could not be written whole must not look like one.
func TestBrokenScrapeIsAborted(t *testing.T) {
	r := newRig(t, exposition.Options{})
	r.push("# TYPE a gauge\na 1\n")
	assert.PanicsWithValue(t, http.ErrAbortHandler, func() {
		r.x.ServeHTTP(brokenWriter{httptest.NewRecorder()}, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	})
	assert.EqualValues(t, 1, r.x.Stats().FailedScrapes)
}
