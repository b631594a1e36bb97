package peers

import (
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/promslog"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"

	"github.com/tailgate-otel/tailgate/internal/testkit/promserver"
)

// TestQueryCorpus opens two copies of one database, made of the series in upstream's engine tests, with a stock server and
// with ours, and sends every query of those tests to both HTTP APIs: the JSON is to be the same, with all errors, warnings
// and infos. Experimental syntax is among them; both refuse it in the same words.
func TestQueryCorpus(t *testing.T) {
	chapters := scripts(t)
	ours, stock := sameDirectory(t, chapters)
	var asked, succeeded, withSeries, annotated, differ int
	for _, c := range chapters {
		for _, e := range c.evals {
			path, form := e.request(c.start)
			a, b := ours.Post(t, path, form), stock.Post(t, path, form)
			what := fmt.Sprintf("%s:%d: %s", c.file, e.line, e.query)
			if !sameAnswer(t, path, what, a, b, nil) {
				if differ++; differ == tooMany {
					t.Fatal("and perhaps more")
				}
			}
			asked++
			if b.Status == 200 {
				succeeded++
			}
			if strings.Contains(string(b.Body), `"metric"`) {
				withSeries++
			}
			if strings.Contains(string(b.Body), `"warnings"`) || strings.Contains(string(b.Body), `"infos"`) {
				annotated++
			}
		}
	}
	t.Logf("%d queries: %d succeed, %d have series, %d are annotated", asked, succeeded, withSeries, annotated)
	// As many as the scripts of this release have, less a few: a corpus that is empty or fails would compare nothing.
	if asked < 2000 || succeeded < 1500 || withSeries < 1000 || annotated < 100 {
		t.Error("the corpus has become too small")
	}
}

// tooMany differences are one mistake, not many: the rest need not be shown.
const tooMany = 40

// request is the path and form of a query in a chapter that starts at start.
func (e scriptEval) request(start time.Time) (path string, form url.Values) {
	seconds := func(d time.Duration) string {
		return strconv.FormatFloat(float64(start.Add(d).UnixMilli())/1000, 'f', 3, 64)
	}
	if e.step == 0 {
		return "/api/v1/query", url.Values{"query": {e.query}, "time": {seconds(e.at)}}
	}
	return "/api/v1/query_range", url.Values{
		"query": {e.query}, "start": {seconds(e.from)}, "end": {seconds(e.to)},
		"step": {strconv.FormatFloat(e.step.Seconds(), 'f', 3, 64)},
	}
}

// retention is longer than all chapters are.
const retention = "100y"

// sameDirectory writes the series of the chapters into one block and opens a copy with either side.
func sameDirectory(t *testing.T, chapters []chapter) (ours, stock promserver.API) {
	t.Helper()
	theirs, dir := t.TempDir(), t.TempDir()
	writeBlock(t, theirs, chapters)
	if err := os.CopyFS(dir, os.DirFS(theirs)); err != nil {
		t.Fatal(err)
	}
	s, ours := store(t, "corpus", dir, nil, section{"retention": section{"time": retention}})
	start(t, "", s)
	server := promserver.Start(t, promserver.Settings{Dir: theirs, Flags: []string{"--storage.tsdb.retention.time=" + retention}})
	return ours, server.API
}

// writeBlock writes one block that spans all chapters.
func writeBlock(t *testing.T, dir string, chapters []chapter) {
	t.Helper()
	w, err := tsdb.NewBlockWriter(promslog.NewNopLogger(), dir, int64(len(chapters)+1)*chapterLength.Milliseconds())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	samples, refused := 0, 0
	for _, c := range chapters {
		app := w.AppenderV2(t.Context())
		for _, s := range c.series {
			n, err := appendSeries(app, c.start, s)
			samples += n
			if err != nil {
				refused++
				t.Logf("%s: %s: %v", c.file, s.labels, err)
			}
		}
		if err := app.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d chapters, %d samples", len(chapters), samples)
	if samples < 10_000 || refused > 0 {
		t.Errorf("%d samples written, %d series refused", samples, refused)
	}
}

func appendSeries(app storage.AppenderV2, start time.Time, s scriptSeries) (samples int, err error) {
	var ref storage.SeriesRef
	for i, v := range s.values {
		if v.Omitted {
			continue
		}
		at := start.Add(time.Duration(i) * s.step).UnixMilli()
		if ref, err = app.Append(ref, s.labels, 0, at, v.Value, nil, v.Histogram, storage.AppendV2Options{}); err != nil {
			return samples, fmt.Errorf("sample %d at %d: %w", i, at, err)
		}
		samples++
	}
	return samples, nil
}
