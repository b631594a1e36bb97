// Package ways is the ways in which OTLP metrics come into a Prometheus, ours and those that there were before: each a
// component as the collector runs it, made by its factory from decoded configuration, and what stores behind it, in this
// process or in a stock server's.
//
// What is equal: names and labels, no scope labels, one export at a time without queues before the component (ours for
// remote write has its own, on disk), an out-of-order window of 10 minutes and room for 100,000 exemplars in the
// database, write-ahead log on and compressed. Goroutines are those of the components; Stop joins them.
package ways

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/tailgate-otel/tailgate/test/benchstore/internal/api"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/payload"
	"github.com/tailgate-otel/tailgate/test/benchstore/internal/stock"
)

// Names of ways.
const (
	Store          = "store"
	Converter      = "converter"
	OTLPGzip       = "otlp-gzip"
	OTLPPlain      = "otlp-plain"
	ContribWrite1  = "contrib-rw1"
	ContribWrite2  = "contrib-rw2"
	Write1         = "rw1"
	Write2         = "rw2"
	ContribPage    = "contrib-page"
	ContribPageRaw = "contrib-page-plain"
	Page           = "page"
	PageRaw        = "page-plain"
)

// A Way is one of them.
type Way struct {
	Name  string
	Kinds []payload.Kind
	// Scraped ways show what they are given, and the server comes for it when it likes.
	Scraped bool
	start   func(Options) (*Running, error)
}

// Options say what a way is started for.
type Options struct {
	Kind       payload.Kind
	Prometheus string // path of the stock server
	Dir        string // what is stored goes below it
	// ScrapeEvery is for ways that are scraped.
	ScrapeEvery time.Duration
}

// Counts says what was stored.
type Counts interface {
	// Count is how many samples of the metrics there are later than from, and not later than to.
	Count(metrics []string, from, to time.Time) (int, error)
	// Counters are the sums of Prometheus' own metrics over their labels.
	Counters(names ...string) ([]float64, error)
}

// Running is a way that has been started. It is for one goroutine.
type Running struct {
	Stored Counts
	// Server is nil where all happens in this process.
	Server *stock.Server

	own    *api.API // of our store
	export func(context.Context, pmetric.Metrics) error
	flush  func(context.Context) error // nil: nothing waits after an export
	closer []func() error
}

// All are the ways, in the order of the report.
func All() []Way {
	all := []payload.Kind{payload.Classic, payload.Exponential, payload.NHCB}
	some := []payload.Kind{payload.Classic, payload.Exponential} // neither a page nor version 1 of ours has custom buckets
	classic := []payload.Kind{payload.Classic}
	return []Way{
		{Name: Store, Kinds: all, start: embedded},
		{Name: Converter, Kinds: all, start: converter},
		{Name: OTLPPlain, Kinds: all, start: otlpHTTP("none")},
		{Name: OTLPGzip, Kinds: all, start: otlpHTTP("gzip")},
		{Name: Write2, Kinds: all, start: ownRemoteWrite(message2)},
		{Name: Write1, Kinds: some, start: ownRemoteWrite(message1)},
		{Name: ContribWrite2, Kinds: all, start: contribRemoteWrite(message2)},
		{Name: ContribWrite1, Kinds: all, start: contribRemoteWrite(message1)},
		{Name: PageRaw, Kinds: classic, Scraped: true, start: ownPage(false)},
		{Name: Page, Kinds: some, Scraped: true, start: ownPage(true)},
		{Name: ContribPageRaw, Kinds: classic, Scraped: true, start: contribPage(false)},
		{Name: ContribPage, Kinds: some, Scraped: true, start: contribPage(true)},
	}
}

// Named finds a way.
func Named(name string) (Way, error) {
	all := All()
	i := slices.IndexFunc(all, func(w Way) bool { return w.Name == name })
	if i < 0 {
		names := make([]string, len(all))
		for i, w := range all {
			names[i] = w.Name
		}
		return Way{}, fmt.Errorf("no way of the name %q; there are %v", name, names)
	}
	return all[i], nil
}

// Start makes the way ready to take exports.
func (w Way) Start(o Options) (*Running, error) {
	r, err := w.start(o)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", w.Name, err)
	}
	return r, nil
}

// Export hands one on, and returns when the component has taken it.
func (r *Running) Export(ctx context.Context, md pmetric.Metrics) error { return r.export(ctx, md) }

// Flush waits until all that was taken is stored.
func (r *Running) Flush(ctx context.Context) error {
	if r.flush == nil {
		return nil
	}
	return r.flush(ctx)
}

// Stop ends everything, what was started last first.
func (r *Running) Stop() error {
	var errs []error
	for _, f := range slices.Backward(r.closer) {
		errs = append(errs, f())
	}
	r.closer = nil
	return errors.Join(errs...)
}

func (r *Running) onStop(f func() error) { r.closer = append(r.closer, f) }

// failed stops what had been started before the error.
func (r *Running) failed(err error) (*Running, error) { return nil, errors.Join(err, r.Stop()) }

// beside starts the server that a way needs.
func beside(o Options, config string) (*Running, error) {
	server, err := stock.Start(o.Prometheus, o.Dir, config)
	if err != nil {
		return nil, err
	}
	r := &Running{Stored: server, Server: server}
	r.onStop(server.Stop)
	return r, nil
}
