package scenario

import (
	"bufio"
	"io"
	"strings"
	"testing"
	"time"

	contrib "github.com/open-telemetry/opentelemetry-collector-contrib/processor/tailsamplingprocessor"

	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/benchmark/internal/rig"
)

var engine = rig.Engine{Name: "contrib", Factory: contrib.NewFactory()}

// Each measurement in small: every figure that the report reads must be there and be possible.
func TestMeasurements(t *testing.T) {
	for _, tc := range []struct {
		spec Spec
		want []string
	}{
		{
			Spec{Kind: Closed, Wait: time.Second, Open: 10_000, Warm: 50, Measured: 100},
			[]string{CPUPerSpan, AllocsPerSpan, SpansPerSec, WirePerSpan},
		},
		{
			Spec{Kind: Hold, Wait: time.Hour, Open: 10_000, Measured: 150},
			[]string{HeldPerSpan, HeapPerSpan, WirePerSpan, RSSFilled, FullGC},
		},
		{
			Spec{Kind: Paced, Wait: time.Second, Open: 10_000, Warm: 10, Measured: 140, Rate: 200_000, Senders: 2},
			[]string{
				CPUPerSpan, Cores, RSSAverage, RSSMax, ConsumeP50, ConsumeP99, ConsumeP999, ConsumeMax,
				DecodedP50, DecodedP99, DecodedP999, DecodedMax,
			},
		},
	} {
		t.Run(string(tc.spec.Kind), func(t *testing.T) {
			result, err := Run(tc.spec, engine, nil, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			for _, figure := range tc.want {
				if result.Figures[figure] <= 0 {
					t.Errorf("%s is %v", figure, result.Figures[figure])
				}
			}
			if result.Kept.Traces == 0 || result.Kept.Spans < result.Kept.Traces {
				t.Errorf("kept %+v", result.Kept)
			}
		})
	}
}

// The same spans are kept whether they come one after the other or over HTTP from four connections at a time.
func TestHTTPKeepsWhatPacedKeeps(t *testing.T) {
	spec := Spec{Kind: Paced, Seed: 3, Wait: time.Second, Open: 10_000, Warm: 10, Measured: 90, Rate: 200_000, Senders: 4}
	direct, err := Run(spec, engine, nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	spec.Kind = HTTP
	childIn, toChild := io.Pipe()
	fromChild, childOut := io.Pipe()
	type outcome struct {
		result Result
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		r, err := Run(spec, engine, childIn, childOut)
		childOut.CloseWithError(err)
		childIn.CloseWithError(io.ErrClosedPipe)
		done <- outcome{r, err}
	}()
	if err := Load(spec, toChild, bufio.NewReader(fromChild)); err != nil {
		t.Fatal(err)
	}
	served := <-done
	if served.err != nil {
		t.Fatal(served.err)
	}
	if served.result.Kept != direct.Kept || direct.Kept.Traces == 0 {
		t.Errorf("kept %+v over HTTP, %+v directly", served.result.Kept, direct.Kept)
	}
	if cpu := served.result.Figures[CPUPerSpan]; cpu <= 0 {
		t.Errorf("CPU per span %v", cpu)
	}
}

func TestLoadSaysThatTheChildDied(t *testing.T) {
	spec := Spec{Kind: HTTP, Warm: 1, Measured: 1, Rate: 100_000, Senders: 1}
	err := Load(spec, io.Discard, bufio.NewReader(strings.NewReader("")))
	if err == nil || !strings.Contains(err.Error(), "did not say where it listens") {
		t.Errorf("no address: %v", err)
	}
	err = Load(spec, io.Discard, bufio.NewReader(strings.NewReader(`{"URL":"http://127.0.0.1:1/v1/traces"}`+"\n")))
	if err == nil || !strings.Contains(err.Error(), "refused") || !strings.Contains(err.Error(), begin) {
		t.Errorf("nobody listens: %v", err)
	}
}

func TestUnknownKind(t *testing.T) {
	if _, err := Run(Spec{Kind: "guess"}, engine, nil, io.Discard); err == nil || !strings.Contains(err.Error(), `"guess"`) {
		t.Errorf("error %v", err)
	}
}
