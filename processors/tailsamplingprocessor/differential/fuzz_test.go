package differential

import (
	"fmt"
	"testing"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
)

// FuzzDifferential lets the fuzzer make the generator's choices.
func FuzzDifferential(f *testing.F) {
	for i := range uint64(20) {
		data := make([]byte, 0, 512)
		for s := newSource(i); len(data) < 512; {
			data = append(data, byte(s.Uint64()))
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c := newFuzzSource(data).newCase(fmt.Sprintf("FuzzDifferential with %q", data))
		check(t, contrib.NewFactory(), contrib.NewFactory(), c)
	})
}
