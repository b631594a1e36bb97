package promfront_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/tailgate-otel/tailgate/internal/promfront"
)

// What cannot be translated costs only itself, every time, and is shown with its name.
func TestUntranslatablePoints(t *testing.T) {
	s := newScene(t, promfront.Options{})
	for round := range 3 {
		e := newExport(float64(10 * (round + 1)))
		points := e.metric("depth").SetEmptyGauge().DataPoints()
		e.number(points, 1, "", "nameless")
		e.number(points, 1)
		odd := e.sum("requests", pmetric.AggregationTemporalityUnspecified)
		e.number(odd.DataPoints(), 1)
		e.exponential("rpc", cumulative, 0, -5, 0, []uint64{1}, 1)
		tally := s.writeSome(e)
		assert.Equal(t, int64(2), tally.Refused[promfront.Untranslatable])
		assert.Equal(t, int64(1), tally.Refused[promfront.BadHistogram])
		assert.Contains(t, tally.Examples[promfront.Untranslatable], `metric "depth" ""="nameless" at 2026-03-01T12:00:`)
	}
	s.expect(depth, "1@10 1@20 1@30")

	assert.Equal(t, []promfront.MetricRefusals{
		{Metric: "depth", Reason: promfront.Untranslatable, Count: 3},
		{Metric: "requests", Reason: promfront.Untranslatable, Count: 3},
		{Metric: "rpc", Reason: promfront.BadHistogram, Count: 3},
	}, s.front.RefusedByMetric())
	refused := s.front.Refused()
	require.Len(t, refused, 9)
	assert.Equal(t, at(30).AsTime(), refused[0].Seen.UTC(), "newest first")
	assert.Equal(t, `{__name__="rpc", instance="shop-1", job="shop"}`, refused[0].Series)
}

// Points without a time are refused whatever the storage is, and a wrong year does not ask for millions of target_info.
func TestTimesOutOfThisWorld(t *testing.T) {
	s := newScene(t, promfront.Options{})
	e := newExport(10)
	points := e.metric("depth").SetEmptyGauge().DataPoints()
	e.number(points, 1)
	e.number(points, 1, "n", "0").SetTimestamp(0)
	e.number(points, 1, "n", "1").SetTimestamp(pcommon.Timestamp(1)) // 1970
	tally := s.writeSome(e)
	assert.Equal(t, int64(1), tally.Refused[promfront.TooOld])
	assert.Len(t, strings.Fields(s.book.values(info)), 101)
}

// The tables of refusals are bounded, whatever is sent.
func TestRefusalsAreBounded(t *testing.T) {
	s := newScene(t, promfront.Options{})
	for round := range 20 {
		e := newExport(10)
		for i := range 100 {
			e.gauge(fmt.Sprint("metric", round, "-", i), 1, "", "nameless")
		}
		s.writeSome(e)
	}
	assert.Len(t, s.front.Refused(), 32)
	byMetric := s.front.RefusedByMetric()
	require.Len(t, byMetric, 1001)
	assert.Equal(t, promfront.MetricRefusals{Metric: "(other)", Reason: promfront.Untranslatable, Count: 1000}, byMetric[0])
}

// A storage that fails fails the Write, at whatever sample, and nothing stays open.
func TestFailuresEndTheWrite(t *testing.T) {
	failed := 0
	for after := 0; after == failed; after++ {
		s := newScene(t, promfront.Options{ZeroSamples: true, Histograms: promfront.Both})
		build := func() *export {
			e := newExport(10).gauge("depth", 1).counter("requests", 1, 1)
			e.explicit("latency", cumulative, 1, []float64{1}, []uint64{1, 1}, 1)
			e.exponential("rpc", delta, 1, 0, 0, []uint64{1, 1}, 1)
			return e
		}
		s.book.fail(false, after)
		_, err := s.front.Write(t.Context(), build().md)
		if err == nil {
			continue // every sample has failed once
		}
		failed++
		require.EqualError(t, err, "append: no space left on device")
		require.Equal(t, 1, s.book.rolled)
		require.Empty(t, s.book.names())
		s.book.heal()
		s.write(build())
		s.expect(depth, "1@10")
	}
	assert.Equal(t, 16, failed)
	s := newScene(t, promfront.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.front.Write(ctx, newExport(10).gauge("depth", 1).md)
	require.ErrorIs(t, err, context.Canceled)
}

// A batch is committed in pieces, so that no transaction grows without bound.
func TestLargeBatchesAreCommittedInPieces(t *testing.T) {
	s := newScene(t, promfront.Options{})
	e := newExport(10)
	points := e.metric("depth").SetEmptyGauge().DataPoints()
	for i := range 30_000 {
		e.number(points, 1, "n", strconv.Itoa(i))
	}
	tally := s.write(e)
	assert.Equal(t, int64(30_001), tally.Samples)
	assert.Equal(t, 3, s.book.commits)
}

// Senders write at once, some with resources in common, and the resources are swept away under them.
func TestConcurrentWrites(t *testing.T) {
	book := newBook()
	front, err := promfront.New(book, promfront.Options{Strategy: strategies[0], StaleAfter: 1, Forget: 1, ZeroSamples: true})
	require.NoError(t, err)
	const senders, rounds = 6, 60
	var wg sync.WaitGroup
	for s := range senders {
		wg.Go(func() {
			for r := range rounds {
				e := newExport(float64(r), "service.name", "shop", "service.instance.id", strconv.Itoa(s), "a", strconv.Itoa(r/7))
				e.delta("requests", float64(r-1), 1)
				e.resource("service.name", "all", "sender", strconv.Itoa(s))
				e.gauge("depth", 1, "sender", strconv.Itoa(s))
				_, err := front.Write(t.Context(), e.md)
				assert.NoError(t, err)
			}
		})
	}
	done := make(chan struct{})
	swept := make(chan struct{})
	go func() {
		defer close(swept)
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			assert.NoError(t, front.Sweep(t.Context(), at(float64(i)*1e6).AsTime()))
			front.Offenders(3)
		}
	}()
	wg.Wait()
	close(done)
	<-swept
	for s := range senders {
		gauge := book.values(fmt.Sprintf(`{__name__="depth", job="all", sender="%d"}`, s))
		assert.Equal(t, rounds, strings.Count(gauge, "1@"), gauge)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := promfront.New(newBook(), promfront.Options{Strategy: "Any", Histograms: "none", StaleAfter: -1})
	require.Error(t, err)
	for _, want := range []string{`translation_strategy: unknown value "Any"`, `histograms: must be one of`, "stale_after"} {
		assert.ErrorContains(t, errors.Join(err), want)
	}
}
