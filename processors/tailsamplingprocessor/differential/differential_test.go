package differential

import (
	"flag"
	"fmt"
	"strings"
	"testing"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"
	"go.opentelemetry.io/collector/processor"
)

var (
	cases = flag.Int("cases", 3000, "how many random cases to compare")
	seed  = flag.Uint64("seed", 1, "seed of the first case; each further case takes the next")
)

// The harness itself must not waver: a reference that is not equal to itself can accuse nobody.
func TestContribAgainstItself(t *testing.T) {
	reference := contrib.NewFactory()
	for i := range max(*cases/10, 1) {
		check(t, reference, reference, seeded(t, *seed+uint64(i)))
	}
}

func seeded(t testing.TB, seed uint64) *testCase {
	test, _, _ := strings.Cut(t.Name(), "/")
	return newSource(seed).newCase(fmt.Sprintf("go test ./processors/tailsamplingprocessor/differential -run '^%s$' -cases=1 -seed=%d", test, seed))
}

// check plays both and, if they differ, fails the test with a case that is as small as it gets.
func check(t *testing.T, reference, subject processor.Factory, c *testCase) {
	t.Helper()
	found := differences(t, reference, subject, c)
	if len(found) == 0 {
		return
	}
	small := shrink(c, func(c *testCase) bool {
		now := differences(t, reference, subject, c)
		return len(now) > 0 && now[0].kind == found[0].kind
	})
	var text strings.Builder
	for _, d := range differences(t, reference, subject, small) {
		fmt.Fprintln(&text, elide(d.String(), 3000))
	}
	t.Errorf("%s%s", &text, small)
}

func differences(t *testing.T, reference, subject processor.Factory, c *testCase) []difference {
	t.Helper()
	return compare(c, play(t, reference, c), play(t, subject, c))
}
