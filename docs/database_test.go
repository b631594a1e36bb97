package docs_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"

	"github.com/tailgate-otel/tailgate/internal/promstore"
)

// databaseStore is a database as the extension opens it by default, without what listens: in a bubble of synctest, time
// stands still as long as anyone waits for the network.
type databaseStore struct {
	component.StartFunc
	component.ShutdownFunc
	*tsdb.DB
	begin    time.Time
	families map[string]metadata.Metadata
}

var _ promstore.Store = (*databaseStore)(nil)

func openStore(t *testing.T) *databaseStore {
	t.Helper()
	opts := tsdb.DefaultOptions()
	opts.EnableExemplarStorage, opts.MaxExemplars = true, 1000
	opts.OutOfOrderTimeWindow = (10 * time.Minute).Milliseconds()
	db, err := tsdb.Open(t.TempDir(), nil, nil, opts, nil)
	require.NoError(t, err)
	return &databaseStore{DB: db, begin: time.Now(), families: map[string]metadata.Metadata{}}
}

// host is a collector with the store as its only extension.
type host struct{ store *databaseStore }

func (h host) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{component.MustNewID("prometheusstore"): h.store}
}

func (*databaseStore) LookbackDelta() time.Duration { return 5 * time.Minute }

func (s *databaseStore) Bounds() (oldest, newest time.Time) {
	return s.begin.Add(-time.Hour), time.Now().Add(10 * time.Minute)
}

func (s *databaseStore) AppenderV2(ctx context.Context) storage.AppenderV2 {
	return notingAppender{s.DB.AppenderV2(ctx), s.families}
}

// notingAppender writes down type, help and unit, of which a database keeps none.
type notingAppender struct {
	storage.AppenderV2
	families map[string]metadata.Metadata
}

func (a notingAppender) Append(
	ref storage.SeriesRef, ls labels.Labels, st, t int64, v float64,
	h *histogram.Histogram, fh *histogram.FloatHistogram, opts storage.AppendV2Options,
) (storage.SeriesRef, error) {
	if !opts.Metadata.IsEmpty() {
		a.families[strings.Clone(opts.MetricFamilyName)] = opts.Metadata
	}
	return a.AppenderV2.Append(ref, ls, st, t, v, h, fh, opts)
}

// dump writes each series on a line with its samples, value@time, and each of its exemplars below it.
func (s *databaseStore) dump(t *testing.T) (lines []string) {
	t.Helper()
	q, err := s.Querier(math.MinInt64, math.MaxInt64)
	require.NoError(t, err)
	defer q.Close()
	exemplars := s.exemplars(t)
	set := q.Select(t.Context(), true, nil, labels.MustNewMatcher(labels.MatchNotEqual, "__name__", ""))
	for set.Next() {
		name := promQL(set.At().Labels())
		line := name + " "
		it := set.At().Iterator(nil)
		for kind := it.Next(); kind != chunkenc.ValNone; kind = it.Next() {
			line += " " + s.sample(it, kind)
		}
		require.NoError(t, it.Err())
		lines = append(append(lines, line), exemplars[name]...)
	}
	require.NoError(t, set.Err())
	return lines
}

func (s *databaseStore) sample(it chunkenc.Iterator, kind chunkenc.ValueType) string {
	if kind == chunkenc.ValFloat {
		t, v := it.At()
		if value.IsStaleNaN(v) {
			return "stale" + s.time(t)
		}
		return fmt.Sprint(v) + s.time(t)
	}
	t, h := it.AtFloatHistogram(nil)
	if value.IsStaleNaN(h.Sum) {
		return "stale" + s.time(t)
	}
	return h.String() + s.time(t)
}

// time is when it was since the beginning.
func (s *databaseStore) time(millis int64) string {
	return "@" + time.UnixMilli(millis).Sub(s.begin).String()
}

func (s *databaseStore) exemplars(t *testing.T) map[string][]string {
	t.Helper()
	q, err := s.ExemplarQuerier(t.Context())
	require.NoError(t, err)
	found, err := q.Select(math.MinInt64, math.MaxInt64, []*labels.Matcher{labels.MustNewMatcher(labels.MatchNotEqual, "__name__", "")})
	require.NoError(t, err)
	lines := map[string][]string{}
	for _, series := range found {
		for _, x := range series.Exemplars {
			name := promQL(series.SeriesLabels)
			lines[name] = append(lines[name], "  exemplar "+s.exemplar(x))
		}
	}
	return lines
}

func (s *databaseStore) exemplar(x exemplar.Exemplar) string {
	return fmt.Sprint(promQL(x.Labels), " ", x.Value, s.time(x.Ts))
}

// promQL writes a series as a query would name it.
func promQL(ls labels.Labels) (selector string) {
	var pairs []string
	ls.Range(func(l labels.Label) {
		name := l.Name
		if !model.LegacyValidation.IsValidLabelName(name) {
			name = strconv.Quote(name)
		}
		switch {
		case l.Name != "__name__":
			pairs = append(pairs, name+"="+strconv.Quote(l.Value))
		case model.LegacyValidation.IsValidMetricName(l.Value):
			selector = l.Value
		default:
			pairs = append(pairs, strconv.Quote(l.Value))
		}
	})
	return selector + "{" + strings.Join(pairs, ",") + "}"
}

// metadata writes what the page of an exporter has in its headers.
func (s *databaseStore) metadata() (lines []string) {
	for _, name := range slices.Sorted(maps.Keys(s.families)) {
		m := s.families[name]
		lines = append(lines, "# TYPE "+name+" "+string(m.Type))
		if m.Unit != "" {
			lines = append(lines, "# UNIT "+name+" "+m.Unit)
		}
		if m.Help != "" {
			lines = append(lines, "# HELP "+name+" "+m.Help)
		}
	}
	return lines
}
