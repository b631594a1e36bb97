package prometheusstoreextension

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// listener is a sender that gives out references of its own and counts samples by series.
type listener struct {
	mu     sync.Mutex
	first  storage.SeriesRef
	refs   map[string]storage.SeriesRef
	counts map[string]int
}

func newListener(first storage.SeriesRef) *listener {
	return &listener{first: first, refs: map[string]storage.SeriesRef{}, counts: map[string]int{}}
}

func (l *listener) AppenderV2(context.Context) storage.AppenderV2 { return l }

func (l *listener) Append(
	ref storage.SeriesRef, ls labels.Labels, _, _ int64, _ float64,
	_ *histogram.Histogram, _ *histogram.FloatHistogram, _ storage.AppendV2Options,
) (storage.SeriesRef, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := ls.String()
	if known, ok := l.refs[name]; ok && ref != 0 && known != ref {
		return 0, fmt.Errorf("%s is %d, not %d", name, known, ref)
	}
	if l.refs[name] == 0 {
		l.first++
		l.refs[name] = l.first
	}
	l.counts[name]++
	return l.refs[name], nil
}

func (*listener) Commit() error { return nil }

func (*listener) Rollback() error { return nil }

func TestForwarderKeepsTheReferencesOfEachSenderApart(t *testing.T) {
	a, b := newListener(100), newListener(7)
	f := newForwarder([]storage.AppendableV2{a, b}, time.Now)
	var wait sync.WaitGroup
	for range 4 {
		wait.Go(func() {
			refs := make([]storage.SeriesRef, 50)
			for range 20 {
				app := f.AppenderV2(t.Context())
				for i := range refs {
					ls := labels.EmptyLabels()
					if refs[i] == 0 {
						ls = labels.FromStrings("__name__", "a", "i", fmt.Sprint(i))
					}
					ref, err := app.Append(refs[i], ls, 0, 1, 1, nil, nil, storage.AppendV2Options{})
					assert.NoError(t, err)
					refs[i] = ref
				}
				assert.NoError(t, app.Commit())
			}
		})
	}
	wait.Wait()
	for _, l := range []*listener{a, b} {
		require.Len(t, l.counts, 50)
		for name, n := range l.counts {
			assert.Equal(t, 80, n, name)
		}
	}
}

func TestForwarderForgetsWhatNobodyWrites(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	f := newForwarder([]storage.AppendableV2{newListener(0)}, func() time.Time { return now })
	write := func(ref storage.SeriesRef, ls labels.Labels) (storage.SeriesRef, error) {
		return f.AppenderV2(t.Context()).Append(ref, ls, 0, 1, 1, nil, nil, storage.AppendV2Options{})
	}
	kept, err := write(0, labels.FromStrings("__name__", "kept"))
	require.NoError(t, err)
	gone, err := write(0, labels.FromStrings("__name__", "gone"))
	require.NoError(t, err)
	for range 3 {
		now = now.Add(time.Hour)
		_, err = write(kept, labels.EmptyLabels())
		require.NoError(t, err)
	}
	_, err = write(gone, labels.EmptyLabels())
	require.ErrorIs(t, err, tsdb.ErrInvalidSample, "the caller brings the labels again")
	again, err := write(gone, labels.FromStrings("__name__", "gone"))
	require.NoError(t, err)
	assert.NotEqual(t, gone, again)
}

func TestForwardingAKnownSeriesAllocatesNothing(t *testing.T) {
	f := newForwarder([]storage.AppendableV2{nothing{}}, time.Now)
	app := f.AppenderV2(t.Context())
	ref, err := app.Append(0, labels.FromStrings("__name__", "a"), 0, 1, 1, nil, nil, storage.AppendV2Options{})
	require.NoError(t, err)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		if _, err := app.Append(ref, labels.EmptyLabels(), 0, 2, 1, nil, nil, storage.AppendV2Options{}); err != nil {
			t.Fatal(err)
		}
	}))
}

type nothing struct{}

func (nothing) AppenderV2(context.Context) storage.AppenderV2 { return nothing{} }

func (nothing) Append(
	storage.SeriesRef, labels.Labels, int64, int64, float64,
	*histogram.Histogram, *histogram.FloatHistogram, storage.AppendV2Options,
) (storage.SeriesRef, error) {
	return 1, nil
}

func (nothing) Commit() error { return nil }

func (nothing) Rollback() error { return nil }
