package remotewrite

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/storage"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

const (
	childDirectory = "REMOTEWRITE_TEST_DIRECTORY"
	childURL       = "REMOTEWRITE_TEST_URL"
	childFirst     = "REMOTEWRITE_TEST_FIRST"
)

// TestMain is a sender to be killed when the variables say so.
func TestMain(m *testing.M) {
	if os.Getenv(childDirectory) == "" {
		goleak.VerifyTestMain(m)
		return
	}
	if err := writeUntilKilled(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// killSeries is how many series each commit of the child has.
const killSeries = 10

// writeUntilKilled commits numbers in ascending order, each as time and value, and prints each after its Commit.
func writeUntilKilled() error {
	first, err := strconv.ParseInt(os.Getenv(childFirst), 10, 64)
	if err != nil {
		return err
	}
	cfg := testConfig(child{}, os.Getenv(childURL))
	cfg.Directory = os.Getenv(childDirectory)
	s, err := Open(cfg, nil, nil, quiet())
	if err != nil {
		return err
	}
	for n := first; ; n++ {
		app := s.AppenderV2(context.Background())
		for i := range killSeries {
			if _, err := app.Append(0, gauge("up", i), 0, n, float64(n), nil, nil, storage.AppendV2Options{}); err != nil {
				return err
			}
		}
		if err := app.Commit(); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// child stands for testing.TB where there is no test.
type child struct{ testing.TB }

func (child) TempDir() string { return "" }

// TestKilled kills a writing process again and again while the server is well, sick and silent. Whatever Commit had
// returned for must have arrived in the end.
func TestKilled(t *testing.T) {
	server := newServer(t, 0)
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(5, 6))
	start := base()
	next := start
	var acknowledged []int64
	for range 6 {
		if sick := random.IntN(2) == 0; sick {
			server.stage(status(http.StatusServiceUnavailable))
		} else {
			server.stage(nil)
		}
		numbers := runAndKill(t, dir, server.URL, next, 100+random.IntN(400))
		acknowledged = append(acknowledged, numbers...)
		next = numbers[len(numbers)-1] + 2 // the one that may have been written but not acknowledged is left out
	}
	server.stage(nil)
	cfg := testConfig(t, server.URL)
	cfg.Directory = dir
	s := open(t, cfg, nil)
	closeWithin(t, s, 30*time.Second)

	arrived := contents(t, server.db)
	require.Len(t, arrived, killSeries)
	for i := range killSeries {
		have := map[string]bool{}
		for _, x := range arrived[gauge("up", i).String()] {
			have[x] = true
		}
		for _, n := range acknowledged {
			require.True(t, have[fmt.Sprintf("%d %x", n, math.Float64bits(float64(n)))], "series %d has lost %d", i, n-start)
		}
	}
	for _, r := range s.Refused() {
		require.Contains(t, []string{"out_of_order", "duplicate"}, r.Reason, "only what was in flight may come twice")
	}
}

// runAndKill returns the numbers that the child said were committed.
func runAndKill(t testing.TB, dir, url string, first int64, commits int) []int64 {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDirectory+"="+dir, childURL+"="+url, fmt.Sprintf("%s=%d", childFirst, first))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var numbers []int64
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		n, err := strconv.ParseInt(strings.TrimSpace(lines.Text()), 10, 64)
		require.NoError(t, err)
		if numbers = append(numbers, n); len(numbers) == commits {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	_ = cmd.Wait() // killed
	require.GreaterOrEqual(t, len(numbers), commits)
	return numbers
}

// sampleAt is how contents writes the time of a sample.
func sampleAt(at int64) string { return strconv.FormatInt(at, 10) + " " }
