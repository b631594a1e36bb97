package scenario

import (
	"bufio"
	"errors"
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

// The same spans are kept whether they come one after the other or over HTTP from four connections at a time, and they
// arrive where they are sent on to.
func TestHTTPKeepsWhatPacedKeeps(t *testing.T) {
	spec := Spec{Kind: Paced, Seed: 3, Wait: time.Second, Open: 10_000, Warm: 10, Measured: 90, Rate: 200_000, Senders: 4}
	direct, err := Run(spec, engine, nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	collector, err := Collect()
	if err != nil {
		t.Fatal(err)
	}
	proxy, http := spec, spec
	http.Kind, proxy.Kind, proxy.SendTo = HTTP, Proxy, collector.Endpoint()
	for _, spec := range []Spec{http, proxy} {
		result, err := runAndLoad(spec)
		if err != nil {
			t.Fatal(err)
		}
		if result.Kept != direct.Kept || direct.Kept.Traces == 0 {
			t.Errorf("%s: kept %+v, %+v directly", spec.Kind, result.Kept, direct.Kept)
		}
		for _, figure := range []string{CPUPerSpan, RSSAverage, RSSMax} {
			if result.Figures[figure] <= 0 {
				t.Errorf("%s: %s is %v", spec.Kind, figure, result.Figures[figure])
			}
		}
	}
	if arrived, err := collector.Close(); err != nil || arrived != direct.Kept {
		t.Errorf("%+v arrived, %v; want %+v", arrived, err, direct.Kept)
	}
}

// runAndLoad plays both sides of the control channel.
func runAndLoad(spec Spec) (Result, error) {
	in, toChild := io.Pipe()
	fromChild, out := io.Pipe()
	loaded := make(chan error, 1)
	go func() {
		err := Load(spec, toChild, bufio.NewReader(fromChild))
		toChild.CloseWithError(err)
		loaded <- err
	}()
	result, err := Run(spec, engine, in, out)
	out.CloseWithError(err)
	return result, errors.Join(err, <-loaded)
}

// A lostTarget cannot be looked at, or loses what it was sent.
type lostTarget struct {
	cost, finish error
	closed       int
}

func (*lostTarget) Endpoint() Endpoint                    { return Endpoint{URL: "http://127.0.0.1:1"} }
func (l *lostTarget) Cost() (time.Duration, int64, error) { return time.Second, 1 << 20, l.cost }
func (l *lostTarget) Finish(int) (rig.Kept, error)        { return rig.Kept{}, l.finish }
func (l *lostTarget) Close() error                        { l.closed++; return nil }

// Whatever goes wrong, the target is ended: it may be another program.
func TestServeEndsTheTarget(t *testing.T) {
	spec := Spec{Warm: 1, Measured: 1}
	for name, tc := range map[string]struct {
		target lostTarget
		words  string
		want   string
	}{
		"no cost":       {lostTarget{cost: errors.New("no such process")}, "begin\nend\n", "no such process"},
		"spans lost":    {lostTarget{finish: errors.New("3 spans lost")}, "begin\nend\n", "3 spans lost"},
		"nobody begins": {lostTarget{}, "", `"begin"`},
		"nobody ends":   {lostTarget{}, "begin\n", `"end"`},
		"all is well":   {lostTarget{}, "begin\nend\n", ""},
	} {
		_, err := Serve(spec, &tc.target, strings.NewReader(tc.words), io.Discard)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
		if tc.target.closed != 1 {
			t.Errorf("%s: closed %d times", name, tc.target.closed)
		}
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
