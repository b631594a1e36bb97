package promfront_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/prometheus/otlptranslator"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/storage/remote/otlptranslator/prometheusremotewrite"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/tailgate-otel/tailgate/internal/promfront"
)

var strategies = []otlptranslator.TranslationStrategyOption{
	otlptranslator.UnderscoreEscapingWithSuffixes,
	otlptranslator.UnderscoreEscapingWithoutSuffixes,
	otlptranslator.NoUTF8EscapingWithSuffixes,
	otlptranslator.NoTranslation,
}

// upstream writes md as Prometheus' own OTLP endpoint does.
func upstream(t testing.TB, to storage.AppendableV2, md pmetric.Metrics, o promfront.Options) {
	t.Helper()
	app := to.AppenderV2(t.Context())
	_, err := prometheusremotewrite.NewPrometheusConverter(app).FromMetrics(t.Context(), md, prometheusremotewrite.Settings{
		AddMetricSuffixes: o.Strategy.ShouldAddSuffixes(),
		AllowUTF8:         !o.Strategy.ShouldEscape(),
		PromoteResourceAttributes: prometheusremotewrite.NewPromoteResourceAttributes(
			config.OTLPConfig{PromoteResourceAttributes: o.PromoteResourceAttributes}),
		KeepIdentifyingResourceAttributes:    o.KeepIdentifyingResourceAttributes,
		PromoteScopeMetadata:                 o.PromoteScopeMetadata,
		ConvertHistogramsToNHCB:              o.Histograms == promfront.NHCB,
		LabelNameUnderscoreSanitization:      true,
		LabelNamePreserveMultipleUnderscores: true,
	})
	require.NoError(t, err)
	require.NoError(t, app.Commit())
}

// Series, samples, exemplars, start times and metadata are those of Prometheus' converter, for new streams as for known
// ones, and after the storage has forgotten them.
func TestEqualsPrometheusConverter(t *testing.T) {
	rounds := 10
	if raceEnabled {
		rounds = 5 // there is one goroutine, and it takes a minute
	}
	for _, strategy := range strategies {
		for name, o := range map[string]promfront.Options{
			"plain":    {},
			"promoted": {PromoteResourceAttributes: []string{"cloud.region", "process.pid", "host.name"}},
			"identity": {KeepIdentifyingResourceAttributes: true},
			"scope":    {PromoteScopeMetadata: true},
			"nhcb":     {Histograms: promfront.NHCB},
		} {
			t.Run(fmt.Sprint(strategy, "/", name), func(t *testing.T) {
				o.Strategy = strategy
				want, got := newBook(), newBook()
				front, err := promfront.New(got, o)
				require.NoError(t, err)
				d := dice{rand.New(rand.NewPCG(1, 2))}
				for round := range rounds {
					md := d.metrics(at(float64(10 * round)))
					upstream(t, want, md, o)
					if round%4 == 3 {
						got.forgetRefs()
					}
					tally, err := front.Write(t.Context(), md)
					require.NoError(t, err)
					require.Empty(t, tally.Examples[promfront.Untranslatable])
					require.Equal(t, [promfront.ReasonCount]int64{}, tally.Refused)
				}
				assert.Empty(t, firstDifference(want.String(), got.String()))
			})
		}
	}
}

// firstDifference is empty for equal texts. The whole texts would be megabytes.
func firstDifference(want, got string) string {
	wants, gots := strings.Split(want, "\n"), strings.Split(got, "\n")
	series := ""
	for i := range min(len(wants), len(gots)) {
		if strings.HasPrefix(wants[i], "{") {
			series = wants[i]
		}
		if wants[i] != gots[i] {
			return fmt.Sprintf("%s\nwant %s\ngot  %s", series, wants[i], gots[i])
		}
	}
	if len(wants) != len(gots) {
		return fmt.Sprintf("%d lines wanted, %d got", len(wants), len(gots))
	}
	return ""
}
