package differential

import (
	"fmt"
	"testing"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
)

// FuzzDifferential lets the fuzzer make the generator's choices. It wants -fuzzminimizetime=1x: goroutines make coverage
// differ from run to run, and minimizing an input by its coverage then takes all the time there is.
func FuzzDifferential(f *testing.F) {
	for seed := range uint64(20) {
		data := make([]byte, 512)
		s := newSource(seed)
		for i := range data {
			data[i] = byte(s.Uint64())
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := newFuzzSource(data).newCase(fmt.Sprintf("newFuzzSource([]byte(%q))", data))
		check(t, contrib.NewFactory(), subject(), c)
	})
}
