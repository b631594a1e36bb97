package peers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/internal/testkit/promserver"
)

// A pair is our store and the stock server that took the same.
type pair struct {
	name        string
	ours, stock promserver.API
}

// translations are the four strategies of naming, each with another of the options that change labels.
var translations = []struct{ strategy, options string }{
	{"UnderscoreEscapingWithSuffixes", "{}"},
	{"UnderscoreEscapingWithoutSuffixes", "{promote_resource_attributes: [deployment.environment.name, process.pid, absent]}"},
	{"NoUTF8EscapingWithSuffixes", "{promote_scope_metadata: true}"},
	{"NoTranslation", "{keep_identifying_resource_attributes: true, promote_resource_attributes: [host.name]}"},
}

// stockOTLP is a server that takes OTLP, with the out-of-order window that ours has by default.
func stockOTLP(t *testing.T, otlp string) *promserver.Server {
	t.Helper()
	return promserver.Start(t, promserver.Settings{
		Flags:  []string{"--web.enable-otlp-receiver", "--web.enable-remote-write-receiver", "--enable-feature=exemplar-storage"},
		Config: "otlp: " + otlp + "\nstorage: {tsdb: {out_of_order_time_window: 10m}}\n",
	})
}

// TestOTLP sends the same exports to both sides, under each translation strategy, and demands the same to the last bit,
// whether ours takes them through a pipeline or at the address at which a stock server does.
func TestOTLP(t *testing.T) {
	end := time.Now().Truncate(time.Second)
	var sinks []sink
	var pairs []pair
	var direct []promserver.API
	for _, tr := range translations {
		options := flow(t, tr.options)
		options["translation_strategy"] = tr.strategy
		stock := stockOTLP(t, unflow(t, options)).API
		piped, ours := store(t, tr.strategy, t.TempDir(), options, nil)
		alone, listener := store(t, tr.strategy+"-alone", t.TempDir(), nil, section{"otlp": options})
		alone.config = nil
		sinks = append(sinks, piped, alone)
		direct = append(direct, listener, stock)
		pairs = append(pairs, pair{tr.strategy, ours, stock}, pair{tr.strategy + " at its own listener", listener, stock})
	}
	c := start(t, "", sinks...)
	for _, md := range payload(8, end) {
		mustExport(t, c.otlp, otlpPath, md)
		for _, api := range direct {
			mustExport(t, api, stockOTLPPath, md)
		}
	}
	for _, p := range pairs {
		t.Run(p.name, func(t *testing.T) {
			t.Run("samples", func(t *testing.T) { sameSamples(t, p, end) })
			t.Run("exemplars", func(t *testing.T) { sameExemplars(t, p, end) })
			t.Run("queries", func(t *testing.T) { sameSelectors(t, p, end) })
		})
	}
}

func sameSamples(t *testing.T, p pair, end time.Time) {
	ours, stock := p.ours.Read(t, end.Add(-time.Hour), end.Add(time.Hour)), p.stock.Read(t, end.Add(-time.Hour), end.Add(time.Hour))
	if len(stock) < 300 || stock.Samples() < 2000 {
		t.Fatalf("the stock server has %d series with %d samples: too few to compare", len(stock), stock.Samples())
	}
	compareDumps(t, "samples", ours, stock, known(t, "samples"))
	t.Logf("%d series, %d samples", len(stock), stock.Samples())
}

func sameExemplars(t *testing.T, p pair, end time.Time) {
	ours, stock := exemplars(t, p.ours, end), exemplars(t, p.stock, end)
	if stock.Samples() < 200 {
		t.Fatalf("the stock server has %d exemplars: too few to compare", stock.Samples())
	}
	compareDumps(t, "exemplars", ours, stock, known(t, "exemplars"))
	t.Logf("%d exemplars, ours %d", stock.Samples(), ours.Samples())
}

// exemplars reads all of them; a line has time, value and labels.
func exemplars(t *testing.T, api promserver.API, end time.Time) promserver.Dump {
	t.Helper()
	answer := api.Get(t, "/api/v1/query_exemplars", url.Values{
		"query": {`{__name__=~".+"}`}, "start": {promserver.Seconds(end.Add(-time.Hour))}, "end": {promserver.Seconds(end.Add(time.Hour))},
	})
	var decoded struct {
		Data []struct {
			SeriesLabels map[string]string
			Exemplars    []struct {
				Labels    map[string]string
				Value     string
				Timestamp float64
			}
		}
	}
	if err := json.Unmarshal(answer.Body, &decoded); err != nil || answer.Status != http.StatusOK {
		t.Fatalf("query exemplars of %s: status %d, %v", api, answer.Status, err)
	}
	out := promserver.Dump{}
	for _, series := range decoded.Data {
		name := fmt.Sprint(series.SeriesLabels)
		for _, e := range series.Exemplars {
			out[name] = append(out[name], fmt.Sprintf("%.3f %s %v", e.Timestamp, e.Value, e.Labels))
		}
	}
	return out
}

// sameSelectors compares what a user sees of it: the text of the answers.
func sameSelectors(t *testing.T, p pair, end time.Time) {
	for _, query := range []string{`{__name__=~".+"}[10m]`, `{__name__=~".+"}`, `count by (__name__) ({__name__=~".+"})`, `{__name__=~".+"} and on (job, instance) target_info`} {
		form := url.Values{"query": {query}, "time": {promserver.Seconds(end)}}
		sameAnswer(t, "/api/v1/query", query, p.ours.Post(t, "/api/v1/query", form), p.stock.Post(t, "/api/v1/query", form), nil)
	}
}
