package prometheusexporter

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/tailgate-otel/tailgate/exporters/prometheusexporter/internal/metadata"
)

// What is not written for metric_expiration is forgotten although nobody scrapes, and
// comes back under new references.
func TestForgetsWithoutScrapes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := newExporter(createDefaultConfig().(*Config), exportertest.NewNopSettings(metadata.Type))
		require.NoError(t, err)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { e.sweep(ctx); close(done) }()

		require.NoError(t, e.push(ctx, oneGauge()))
		assert.Equal(t, 2, e.page.Stats().Series, "the gauge and target_info")
		time.Sleep(4 * time.Minute)
		require.NoError(t, e.push(ctx, oneGauge()))
		time.Sleep(4 * time.Minute)
		synctest.Wait()
		assert.Equal(t, 2, e.page.Stats().Series, "the second export keeps them")
		time.Sleep(time.Minute + maxSweep)
		synctest.Wait()
		assert.Zero(t, e.page.Stats().Series)

		require.NoError(t, e.push(ctx, oneGauge()))
		assert.Equal(t, 2, e.page.Stats().Series)
		stop()
		<-done
	})
}

func oneGauge() pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "shop")
	rm.Resource().Attributes().PutStr("host.name", "node")
	m := rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName("g")
	p := m.SetEmptyGauge().DataPoints().AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(time.Now()))
	p.SetIntValue(1)
	return md
}
