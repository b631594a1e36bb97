package promfront_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/internal/promfront"
)

var errDisk = errors.New("no space left on device")

// scene is a front before a book, at a time that the test sets.
type scene struct {
	t     *testing.T
	book  *book
	front *promfront.Front
	now   float64 // seconds after the epoch
}

func newScene(t *testing.T, o promfront.Options) *scene {
	t.Helper()
	s := &scene{t: t, book: newBook()}
	o.Strategy = strategies[0]
	o.Now = func() time.Time { return at(s.now).AsTime() }
	front, err := promfront.New(s.book, o)
	require.NoError(t, err)
	s.front = front
	return s
}

// write stores an export that must be stored whole.
func (s *scene) write(e *export) promfront.Tally {
	s.t.Helper()
	tally := s.writeSome(e)
	require.Equal(s.t, [promfront.ReasonCount]int64{}, tally.Refused, "%q", tally.Examples)
	return tally
}

// writeSome stores an export of which something may be refused.
func (s *scene) writeSome(e *export) promfront.Tally {
	s.t.Helper()
	s.now = float64(e.t.AsTime().Sub(epoch)) / float64(time.Second)
	tally, err := s.front.Write(s.t.Context(), e.md)
	require.NoError(s.t, err)
	return tally
}

func (s *scene) sweep(seconds float64) {
	s.t.Helper()
	s.now = seconds
	require.NoError(s.t, s.front.Sweep(s.t.Context(), at(seconds).AsTime()))
}

// expect compares the values of a series of the usual resource.
func (s *scene) expect(series, want string) {
	s.t.Helper()
	assert.Equal(s.t, want, s.book.values(series), series)
}

// Series of the usual resource.
const (
	depth        = `{__name__="depth", instance="shop-1", job="shop"}`
	requests     = `{__name__="requests_total", instance="shop-1", job="shop"}`
	info         = `{__name__="target_info", cloud_region="eu", instance="shop-1", job="shop"}`
	overflowing  = `{__name__="requests_total", instance="shop-1", job="shop", otel_metric_overflow="true"}`
	latencyCount = `{__name__="latency_count", instance="shop-1", job="shop"}`
	latencySum   = `{__name__="latency_sum", instance="shop-1", job="shop"}`
	latency1     = `{__name__="latency_bucket", instance="shop-1", job="shop", le="1"}`
	latencyInf   = `{__name__="latency_bucket", instance="shop-1", job="shop", le="+Inf"}`
	latency      = `{__name__="latency", instance="shop-1", job="shop"}`
)
