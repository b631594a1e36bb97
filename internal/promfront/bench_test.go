//go:build unix

package promfront_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/tailgate-otel/tailgate/internal/promfront"
)

// BenchmarkWrite writes one export after another, ten seconds apart, into a TSDB with a write-ahead log: through the
// cache, and for comparison through Prometheus' converter.
func BenchmarkWrite(b *testing.B) {
	for _, instances := range []int{10, 100, 400} {
		for _, way := range []string{"cached", "converter"} {
			b.Run(fmt.Sprintf("series=%d/%s", instances*samplesPerInstance, way), func(b *testing.B) {
				db := openDatabase(b)
				md := fleet(instances)
				o := promfront.Options{Strategy: strategies[0], ZeroSamples: true, StaleAfter: 1}
				front, err := promfront.New(db, o)
				require.NoError(b, err)
				t := epoch
				push := func() {
					t = t.Add(10 * time.Second)
					stampAll(md, pcommon.NewTimestampFromTime(t))
					if way == "converter" {
						upstream(b, db, md, o)
						return
					}
					_, err := front.Write(b.Context(), md)
					require.NoError(b, err)
				}
				push() // creates the series
				push()
				b.ReportAllocs()
				samples, before := 0, cpuTime(b)
				for b.Loop() {
					push()
					samples += instances * samplesPerInstance
				}
				b.ReportMetric(float64(cpuTime(b)-before)/float64(samples), "cpu-ns/sample")
			})
		}
	}
}

// cpuTime is what the process has used, which says more than the clock on a machine that does other things.
func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
