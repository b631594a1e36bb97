package families_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/metadata"
	"github.com/prometheus/prometheus/scrape"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/families"
)

func counter(help string) metadata.Metadata {
	return metadata.Metadata{Type: model.MetricTypeCounter, Unit: "seconds", Help: help}
}

func TestTableKeepsTheNewest(t *testing.T) {
	table := families.NewTable(1 << 20)
	table.Record("a", counter("old"))
	table.Record("a", counter("new"))

	got, ok := table.GetMetadata("a")
	require.True(t, ok)
	want := scrape.MetricMetadata{MetricFamily: "a", Type: model.MetricTypeCounter, Unit: "seconds", Help: "new"}
	assert.Equal(t, want, got)
	assert.Equal(t, []scrape.MetricMetadata{want}, table.ListMetadata())
	assert.Equal(t, 1, table.LengthMetadata())

	_, ok = table.GetMetadata("b")
	assert.False(t, ok)
}

// A full table refuses new families, still updates those it knows, and never passes its limit.
func TestTableIsBounded(t *testing.T) {
	const limit = 2048
	table := families.NewTable(limit)
	for i := range 100 {
		table.Record(fmt.Sprintf("family_%03d", i), counter("h"))
	}
	held := table.LengthMetadata()
	assert.LessOrEqual(t, table.SizeMetadata(), limit)
	assert.Equal(t, uint64(100-held), table.Refused())
	assert.Greater(t, held, 10)

	table.Record("family_000", counter("i"))
	got, _ := table.GetMetadata("family_000")
	assert.Equal(t, "i", got.Help, "an update that needs no room")

	table.Record("family_000", counter(strings.Repeat("x", limit)))
	got, _ = table.GetMetadata("family_000")
	assert.Equal(t, "i", got.Help, "an update that does not fit")
	assert.LessOrEqual(t, table.SizeMetadata(), limit)
}

func TestTableGivesBackRoom(t *testing.T) {
	table := families.NewTable(1 << 20)
	table.Record("a", counter(strings.Repeat("x", 500)))
	long := table.SizeMetadata()
	table.Record("a", counter(""))
	assert.Equal(t, long-500, table.SizeMetadata())
}

func TestTableConcurrently(t *testing.T) {
	table := families.NewTable(1 << 20)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 200 {
				table.Record(fmt.Sprintf("family_%d", i%20), counter("h"))
				table.ListMetadata()
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 20, table.LengthMetadata())
}
