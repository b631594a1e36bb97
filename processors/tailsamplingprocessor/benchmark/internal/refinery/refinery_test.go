package refinery

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/scenario"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/traffic"
)

// The whole way in small, with the program that REFINERY names: it is built in a checkout of its own.
func TestRefineryKeepsSixPercent(t *testing.T) {
	program := os.Getenv("REFINERY")
	if program == "" {
		t.Skip("set REFINERY to the path of a Refinery to run this test")
	}
	if version, err := Version(program); err != nil || version == "" {
		t.Fatalf("version %q, %v", version, err)
	}
	p, err := Start(program, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	spec := scenario.Spec{Kind: scenario.HTTP, Seed: 3, Warm: 40, Measured: 600, Rate: 40_000, Senders: 4}
	result, err := serveAndLoad(spec, p)
	if err != nil {
		t.Fatal(err)
	}
	traces := float64(spec.Warm+spec.Measured) * traffic.SpansPerRequest / traffic.SpansPerTrace
	if share := float64(result.Kept.Traces) / traces; share < 0.05 || share > 0.07 {
		t.Errorf("%.1f %% of the traces were kept, want about 6", 100*share)
	}
	for _, figure := range []string{scenario.CPUPerSpan, scenario.RSSAverage, scenario.RSSMax} {
		if result.Figures[figure] <= 0 {
			t.Errorf("%s is %v", figure, result.Figures[figure])
		}
	}
	if _, err := os.Stat(p.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory of the configuration is still there: %v", err)
	}
	if conn, err := net.Dial("tcp", p.at.incoming); err == nil {
		_ = conn.Close()
		t.Error("the program still listens")
	}
}

// serveAndLoad plays both sides of the control channel.
func serveAndLoad(spec scenario.Spec, target scenario.Target) (scenario.Result, error) {
	in, toChild := io.Pipe()
	fromChild, out := io.Pipe()
	loaded := make(chan error, 1)
	go func() {
		err := scenario.Load(spec, toChild, bufio.NewReader(fromChild))
		toChild.CloseWithError(err)
		loaded <- err
	}()
	result, err := scenario.Serve(spec, target, in, out)
	out.CloseWithError(err)
	return result, errors.Join(err, <-loaded)
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	if _, err := Start("/no/such/refinery", time.Second); err == nil || !strings.Contains(err.Error(), "-refinery /no/such/refinery") {
		t.Errorf("no program: %v", err)
	}
	// A program that ends at once, and says why, for Refinery's flags are not its own.
	if _, err := Start("ls", time.Second); err == nil || !strings.Contains(err.Error(), "it said:\nls: ") {
		t.Errorf("another program: %v", err)
	}
	if _, err := Version("true"); err == nil || !strings.Contains(err.Error(), "--version") {
		t.Errorf("version of another program: %v", err)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var said tail
	for range 3 {
		_, _ = io.WriteString(&said, strings.Repeat("x", maxTail-1)+"\n")
	}
	_, _ = io.WriteString(&said, "the end")
	if got := said.String(); len(got) != maxTail || !strings.HasSuffix(got, "x\nthe end") {
		t.Errorf("%d bytes, ending in %q", len(got), got[max(0, len(got)-20):])
	}
}
