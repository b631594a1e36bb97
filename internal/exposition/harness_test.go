package exposition_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protodelim"

	"github.com/tailgate-otel/tailgate/internal/exposition"
)

const (
	acceptText        = "text/plain;version=0.0.4"
	acceptOpenMetrics = "application/openmetrics-text;version=1.0.0"
	acceptProtobuf    = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
	allowUTF8         = ";escaping=allow-utf-8"
)

// rig is an exposition with a clock of its own.
type rig struct {
	t   *testing.T
	x   *exposition.Exposition
	now time.Time
	// refs as a writer with a cache would have them.
	refs map[string]storage.SeriesRef
}

func newRig(t *testing.T, o exposition.Options) *rig {
	t.Helper()
	r := &rig{t: t, now: time.Unix(0, 0), refs: map[string]storage.SeriesRef{}}
	if o.Expiration == 0 {
		o.Expiration = 5 * time.Minute
	}
	o.Now = func() time.Time { return r.now }
	r.x = exposition.New(o)
	return r
}

// push appends what an OpenMetrics text says, as of the rig's time, in one transaction. A series whose value is NaN is
// marked stale. It returns the errors, one a line.
func (r *rig) push(text string) string {
	r.t.Helper()
	var problems []string
	app := r.x.AppenderV2(r.t.Context())
	parser := textparse.NewOpenMetricsParser([]byte(text+"# EOF\n"), labels.NewSymbolTable())
	var opts storage.AppendV2Options
	help := ""
	for {
		entry, err := parser.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(r.t, err)
		switch entry {
		case textparse.EntryType:
			name, typ := parser.Type()
			opts = storage.AppendV2Options{MetricFamilyName: string(name), Metadata: metadata.Metadata{Type: typ, Help: help}}
			help = ""
			if typ == model.MetricTypeCounter {
				opts.MetricFamilyName += "_total" // as the OTLP converter has it
			}
		case textparse.EntryHelp:
			_, h := parser.Help()
			help = string(h) // comes before the type
		case textparse.EntryUnit:
			_, unit := parser.Unit()
			opts.Metadata.Unit = string(unit)
		case textparse.EntrySeries:
			if err := r.append(app, parser, opts); err != nil {
				problems = append(problems, err.Error())
			}
		}
	}
	require.NoError(r.t, app.Commit())
	return strings.Join(problems, "\n")
}

// append gives the sample to app by reference where it can, and with labels where that is refused.
func (r *rig) append(app storage.AppenderV2, parser textparse.Parser, opts storage.AppendV2Options) error {
	var ls labels.Labels
	parser.Labels(&ls)
	_, at, v := parser.Series()
	t := r.now.UnixMilli()
	if at != nil {
		t = *at
	}
	if math.IsNaN(v) {
		v = math.Float64frombits(value.StaleNaN)
	}
	var e exemplar.Exemplar
	for parser.Exemplar(&e) {
		opts.Exemplars = append(opts.Exemplars, e)
	}
	key := string(opts.Metadata.Type) + ls.String()
	if ref, ok := r.refs[key]; ok {
		if _, err := app.Append(ref, labels.EmptyLabels(), 1000, t, v, nil, nil, opts); err == nil || !strings.Contains(err.Error(), "empty labelset") {
			return err
		}
	}
	ref, err := app.Append(0, ls, 1000, t, v, nil, nil, opts)
	if err == nil {
		r.refs[key] = ref
	}
	return err
}

// get scrapes; it returns the page and the answer's header.
func (r *rig) get(accept string, header ...string) (string, http.Header) {
	r.t.Helper()
	return scrape(r.t, r.x, "/metrics", accept, header...)
}

func scrape(t testing.TB, h http.Handler, url, accept string, header ...string) (string, http.Header) {
	t.Helper()
	req := httptest.NewRequest(http.MethodGet, url, nil)
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", "Prometheus/3.14.0")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	require.Equal(t, http.StatusOK, w.Code)
	return w.Body.String(), w.Header()
}

// families decodes a protobuf page.
func families(t testing.TB, page string) []*dto.MetricFamily {
	t.Helper()
	r := bufio.NewReader(strings.NewReader(page))
	var all []*dto.MetricFamily
	for {
		f := &dto.MetricFamily{}
		err := protodelim.UnmarshalFrom(r, f)
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, f)
	}
}

// appendOne appends a sample of its own transaction.
func (r *rig) appendOne(ls labels.Labels, t int64, v float64, opts storage.AppendV2Options) (storage.SeriesRef, error) {
	app := r.x.AppenderV2(r.t.Context())
	ref, err := app.Append(0, ls, 0, t, v, nil, nil, opts)
	require.NoError(r.t, app.Commit())
	return ref, err
}

func gauge(name string) storage.AppendV2Options {
	return storage.AppendV2Options{MetricFamilyName: name, Metadata: metadata.Metadata{Type: model.MetricTypeGauge, Help: "A gauge."}}
}

func stats(s exposition.Stats) string {
	return fmt.Sprintf("series=%d expired=%d type_conflicts=%d help_conflicts=%d", s.Series, s.Expired, s.TypeConflicts, s.HelpConflicts)
}

// stale is the value of a stale marker.
func stale() float64 { return math.Float64frombits(value.StaleNaN) }
