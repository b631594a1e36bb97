package exposition_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/internal/exposition"
	"github.com/tailgate-otel/tailgate/internal/exposition/pagetest"
)

func histogramOf(name string) storage.AppendV2Options {
	return storage.AppendV2Options{MetricFamilyName: name, Metadata: metadata.Metadata{Type: model.MetricTypeHistogram}}
}

// Writers set all parts of a histogram to the same number in one transaction. No page may show two numbers in one
// histogram, and at the end every histogram shows its last one.
func TestScrapesSeeWholePoints(t *testing.T) {
	const writers, rounds = 4, 200
	r := newRig(t, exposition.Options{})
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			base := labels.FromStrings("writer", fmt.Sprint(w))
			refs := map[string]storage.SeriesRef{}
			for round := range rounds {
				app := r.x.AppenderV2(t.Context())
				for _, part := range []string{"_sum", "_count", "_bucket|1", "_bucket|2", "_bucket|+Inf"} {
					suffix, le, _ := strings.Cut(part, "|")
					b := labels.NewBuilder(base).Set(model.MetricNameLabel, "h"+suffix).Set(model.BucketLabel, le)
					ref, err := app.Append(refs[part], b.Labels(), 0, int64(round), float64(round+1), nil, nil, histogramOf("h"))
					assert.NoError(t, err)
					refs[part] = ref
				}
				assert.NoError(t, app.Commit())
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for last := false; !last; {
		select {
		case <-done:
			last = true
		default:
		}
		page, _ := r.get(acceptProtobuf)
		for _, f := range families(t, page) {
			for _, m := range f.GetMetric() {
				h := m.GetHistogram()
				require.Len(t, h.GetBucket(), 3)
				for _, b := range h.GetBucket() {
					require.Equal(t, h.GetSampleCount(), b.GetCumulativeCount())
				}
				require.Equal(t, float64(h.GetSampleCount()), h.GetSampleSum())
				if last {
					require.EqualValues(t, rounds, h.GetSampleCount())
				}
			}
			require.LessOrEqual(t, len(f.GetMetric()), writers)
		}
	}
}

// Writers and a sweeper with markers, expiry and new series, while pages are read: nothing but whole pages, and what was
// written last is there. Run with -race.
func TestSweepsBesideWritesAndScrapes(t *testing.T) {
	r := newRig(t, exposition.Options{Expiration: time.Hour})
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				r.x.Sweep(r.now)
				page, header := r.get(acceptText)
				pagetest.Parse(t, page, header.Get("Content-Type"))
			}
		}
	})
	for i := range 600 {
		ls := labels.FromStrings(model.MetricNameLabel, "g", "i", fmt.Sprint(i%50))
		_, err := r.appendOne(ls, int64(i), float64(i), gauge("g"))
		require.NoError(t, err)
		if i%7 == 0 {
			_, err := r.appendOne(ls, int64(i), stale(), gauge("g"))
			require.NoError(t, err)
		}
	}
	close(stop)
	wg.Wait()
	page, header := r.get(acceptText)
	shown := pagetest.Parse(t, page, header.Get("Content-Type")).Series
	for i := 550; i < 600; i++ {
		key := fmt.Sprintf(`{__name__="g", i="%d"}`, i%50)
		if i%7 == 0 {
			assert.NotContains(t, shown, key)
		} else {
			assert.Equal(t, fmt.Sprint(i), shown[key])
		}
	}
}

func TestReferencesOfWhatIsGone(t *testing.T) {
	r := newRig(t, exposition.Options{})
	a := labels.FromStrings(model.MetricNameLabel, "g", "i", "a")
	ref, err := r.appendOne(a, 1, 1, gauge("g"))
	require.NoError(t, err)
	require.NotZero(t, ref)
	r.now = r.now.Add(time.Hour)
	r.x.Sweep(r.now)

	// Another series takes the place in the table; the old reference must not reach it.
	other, err := r.appendOne(labels.FromStrings(model.MetricNameLabel, "g", "i", "b"), 1, 2, gauge("g"))
	require.NoError(t, err)
	app := r.x.AppenderV2(t.Context())
	_, err = app.Append(ref, labels.EmptyLabels(), 0, 2, 3, nil, nil, gauge("g"))
	require.ErrorIs(t, err, tsdb.ErrInvalidSample)
	again, err := app.Append(ref, a, 0, 2, 3, nil, nil, gauge("g"))
	require.NoError(t, err)
	assert.NotContains(t, []storage.SeriesRef{0, ref, other}, again)
	require.NoError(t, app.Commit())
	page, _ := r.get(acceptText)
	assert.Contains(t, page, "g{i=\"a\"} 3\ng{i=\"b\"} 2\n")
}

func TestRollbackShowsNothing(t *testing.T) {
	r := newRig(t, exposition.Options{})
	app := r.x.AppenderV2(t.Context())
	_, err := app.Append(0, labels.FromStrings(model.MetricNameLabel, "g"), 0, 1, 1, nil, nil, gauge("g"))
	require.NoError(t, err)
	require.NoError(t, app.Rollback())
	page, _ := r.get(acceptText)
	assert.Empty(t, page)
	require.Error(t, app.Commit(), "an appender is used up")
	_, err = app.Append(0, labels.FromStrings(model.MetricNameLabel, "g"), 0, 1, 1, nil, nil, gauge("g"))
	require.Error(t, err)
}

func TestRefusesWhatCannotBeShown(t *testing.T) {
	r := newRig(t, exposition.Options{})
	for name, ls := range map[string]labels.Labels{
		"no labels":    labels.EmptyLabels(),
		"no name":      labels.FromStrings("a", "b"),
		"a name twice": labels.FromStrings(model.MetricNameLabel, "g", "a", "1", "a", "2"),
	} {
		_, err := r.appendOne(ls, 1, 1, gauge("g"))
		assert.ErrorIs(t, err, tsdb.ErrInvalidSample, name)
	}
	assert.Zero(t, r.x.Stats().Series)
}

// Text that is no UTF-8 would cost the whole page.
func TestBrokenTextCostsOnlyItself(t *testing.T) {
	r := newRig(t, exposition.Options{OpenMetrics: true})
	opts := gauge("g")
	opts.Metadata.Help = "b\xffd"
	_, err := r.appendOne(labels.FromStrings(model.MetricNameLabel, "g", "a", "b\xffd"), 1, 1, opts)
	require.NoError(t, err)
	for _, accept := range []string{acceptText, acceptOpenMetrics, acceptProtobuf} {
		page, header := r.get(accept)
		parsed := pagetest.Parse(t, page, header.Get("Content-Type"))
		assert.Equal(t, map[string]string{"{__name__=\"g\", a=\"b\ufffdd\"}": "1"}, parsed.Series, accept)
	}
}

// customBuckets is what an OTLP histogram with the bounds 1, 2, 5 and the counts 3, 0, 4, 2 becomes.
func customBuckets() *histogram.Histogram {
	return &histogram.Histogram{
		Schema: histogram.CustomBucketsSchema, Count: 9, Sum: 30, CustomValues: []float64{1, 2, 5},
		PositiveSpans: []histogram.Span{{Offset: 0, Length: 1}, {Offset: 1, Length: 2}}, PositiveBuckets: []int64{3, 1, -2},
	}
}

func TestCustomBucketsAreShownAsClassic(t *testing.T) {
	r := newRig(t, exposition.Options{OpenMetrics: true})
	ls := labels.FromStrings(model.MetricNameLabel, "h", "a", "1")
	opts := histogramOf("h")
	opts.Exemplars = []exemplar.Exemplar{
		{Labels: labels.FromStrings("trace_id", "high"), Value: 100, Ts: 1, HasTs: true},
		{Labels: labels.FromStrings("trace_id", "low"), Value: 0.5, Ts: 2, HasTs: true},
	}
	for _, float := range []bool{false, true} {
		app := r.x.AppenderV2(t.Context())
		h, fh := customBuckets(), (*histogram.FloatHistogram)(nil)
		if float {
			h, fh = nil, h.ToFloat(nil)
		}
		_, err := app.Append(0, ls, 0, 1, 0, h, fh, opts)
		require.NoError(t, err)
		require.NoError(t, app.Commit())
		page, _ := r.get(acceptOpenMetrics)
		assert.Equal(t, `# HELP h 
# TYPE h histogram
h_bucket{a="1",le="1.0"} 3 # {trace_id="low"} 0.5 0.002
h_bucket{a="1",le="2.0"} 3
h_bucket{a="1",le="5.0"} 7
h_bucket{a="1",le="+Inf"} 9 # {trace_id="high"} 100 0.001
h_sum{a="1"} 30
h_count{a="1"} 9
# EOF
`, page)
	}
	app := r.x.AppenderV2(t.Context())
	_, err := app.Append(0, ls, 0, 2, 0, &histogram.Histogram{Sum: stale()}, nil, opts)
	require.NoError(t, err)
	require.NoError(t, app.Commit())
	page, _ := r.get(acceptText)
	assert.Empty(t, page)
	assert.Zero(t, r.x.Stats().Series)
}

// A native histogram keeps the newest ten exemplars whatever the order in which they come, each once.
func TestNativeExemplars(t *testing.T) {
	r := newRig(t, exposition.Options{})
	ls := labels.FromStrings(model.MetricNameLabel, "h")
	h := &histogram.Histogram{Schema: 3, Count: 1, Sum: 1, PositiveSpans: []histogram.Span{{Length: 1}}, PositiveBuckets: []int64{1}}
	want := []string{}
	for point, ids := range [][]int{{1, 2, 3}, {3, 4, 12}, {5, 6, 7, 8}, {0, 9, 10, 11}} {
		opts := histogramOf("h")
		for _, id := range ids {
			opts.Exemplars = append(opts.Exemplars, exemplar.Exemplar{
				Labels: labels.FromStrings("trace_id", fmt.Sprint(id)), Value: 1, Ts: int64(id), HasTs: true,
			})
		}
		app := r.x.AppenderV2(t.Context())
		_, err := app.Append(0, ls, 0, int64(point), 0, h, nil, opts)
		require.NoError(t, err)
		require.NoError(t, app.Commit())
	}
	for id := 3; id <= 12; id++ {
		want = append(want, fmt.Sprintf(`{trace_id="%d"} 1 at %d`, id, id))
	}
	page, header := r.get(acceptProtobuf)
	assert.Equal(t, want, pagetest.Parse(t, page, header.Get("Content-Type")).Exemplars[`{__name__="h"}`])
}

// A reader that is not known to take it gets one message per family.
func TestFamiliesAreSplitForPrometheusOnly(t *testing.T) {
	r := newRig(t, exposition.Options{})
	app := r.x.AppenderV2(t.Context())
	for i := range 3 {
		h := &histogram.Histogram{Schema: 3, Count: 1, Sum: 1, PositiveSpans: []histogram.Span{{Length: 1}}, PositiveBuckets: []int64{1}}
		opts := histogramOf("h")
		opts.Exemplars = []exemplar.Exemplar{{Labels: labels.FromStrings("trace_id", "a"), Value: 1, Ts: 1, HasTs: true}}
		_, err := app.Append(0, labels.FromStrings(model.MetricNameLabel, "h", "i", fmt.Sprint(i)), 0, 1, 0, h, nil, opts)
		require.NoError(t, err)
	}
	for i := range 5000 {
		_, err := app.Append(0, labels.FromStrings(model.MetricNameLabel, "g", "i", fmt.Sprint(i)), 0, 1, 1, nil, nil, gauge("g"))
		require.NoError(t, err)
	}
	require.NoError(t, app.Commit())
	whole, _ := r.get(acceptProtobuf, "User-Agent", "Telegraf/1.34")
	assert.Len(t, families(t, whole), 2)
	split, header := r.get(acceptProtobuf)
	assert.Greater(t, len(families(t, split)), 4)
	parsed := pagetest.Parse(t, split, header.Get("Content-Type"))
	assert.Len(t, parsed.Series, 5003)
	assert.Len(t, parsed.Exemplars, 3)
}

// With both layouts a protobuf page has one message, from which a scraper takes either or both.
func TestClassicAndNativeTogether(t *testing.T) {
	r := newRig(t, exposition.Options{})
	r.push("# TYPE h histogram\nh_sum 3\nh_count 2\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\n")
	app := r.x.AppenderV2(t.Context())
	native := &histogram.Histogram{Schema: 3, Count: 2, Sum: 3, PositiveSpans: []histogram.Span{{Length: 1}}, PositiveBuckets: []int64{2}}
	_, err := app.Append(0, labels.FromStrings(model.MetricNameLabel, "h"), 0, r.now.UnixMilli(), 0, native, nil, histogramOf("h"))
	require.NoError(t, err)
	require.NoError(t, app.Commit())
	page, header := r.get(acceptProtobuf)
	parsed := pagetest.Parse(t, page, header.Get("Content-Type"))
	assert.Len(t, parsed.Series, 5, "%v", parsed.Series)
	assert.Contains(t, parsed.Series[`{__name__="h"}`], "count 2 sum 3")
}

// A known series costs no allocation, neither to write nor to show.
func TestKnownSeriesAllocateNothing(t *testing.T) {
	r := newRig(t, exposition.Options{OpenMetrics: true})
	refs := make([]storage.SeriesRef, 500)
	at := int64(0)
	write := func() {
		at++
		app := r.x.AppenderV2(t.Context())
		for i := range refs {
			ls := labels.EmptyLabels()
			if refs[i] == 0 {
				ls = labels.FromStrings(model.MetricNameLabel, "h_bucket", "i", fmt.Sprint(i/5), "le", fmt.Sprint(i%5))
			}
			ref, err := app.Append(refs[i], ls, 0, at, 1, nil, nil, histogramOf("h"))
			if err != nil {
				t.Fatal(err)
			}
			refs[i] = ref
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	write()
	if raceEnabled {
		t.Skip("the race detector empties pools at random")
	}
	assert.Less(t, testing.AllocsPerRun(100, write), 1.0)
	for _, accept := range []string{acceptText, acceptOpenMetrics, acceptProtobuf} {
		req := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		req.Header.Set("Accept", accept)
		w := discard{http.Header{}}
		allocs := testing.AllocsPerRun(100, func() { r.x.ServeHTTP(w, req) })
		assert.Less(t, allocs, 100.0, "%s: a scrape allocates for its headers, not for its 500 series", accept)
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// Whatever a label says, a scraper reads it back.
func FuzzLabels(f *testing.F) {
	f.Add("name", "value", "help")
	f.Add("na.me", "a\"b\\\n,}=", "h\\n\n")
	f.Add("é", "\xff", "\xff")
	f.Add("le", "1", "")
	f.Fuzz(func(t *testing.T, name, value, help string) {
		if !model.UTF8Validation.IsValidLabelName(name) || name == model.MetricNameLabel || value == "" {
			t.Skip()
		}
		r := newRig(t, exposition.Options{OpenMetrics: true})
		opts := gauge("g")
		opts.Metadata.Help = help
		_, err := r.appendOne(labels.FromStrings(model.MetricNameLabel, "g", name, value), 1, 1, opts)
		require.NoError(t, err)
		clean := strings.NewReplacer("\x00", "\ufffd")
		want := labels.FromStrings(model.MetricNameLabel, "g", clean.Replace(name), clean.Replace(strings.ToValidUTF8(value, "\ufffd")))
		for _, accept := range []string{acceptText, acceptOpenMetrics, acceptProtobuf} {
			page, header := r.get(accept + allowUTF8)
			parser, err := textparse.New([]byte(page), header.Get("Content-Type"), labels.NewSymbolTable(), textparse.ParserOptions{})
			require.NoError(t, err)
			found := 0
			for {
				entry, err := parser.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				require.NoError(t, err, "%s\n%q", accept, page)
				if entry == textparse.EntrySeries {
					var got labels.Labels
					parser.Labels(&got)
					require.Equal(t, want.String(), got.String(), "%s\n%q", accept, page)
					found++
				}
			}
			require.Equal(t, 1, found)
		}
	})
}
