package exposition_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/tailgate-otel/tailgate/internal/exposition"
	"github.com/tailgate-otel/tailgate/internal/testkit/script"
)

// The commands of the scripts: options (before the first push), at <time> (moves the clock), push (an OpenMetrics text;
// NaN is a stale marker), scrape <format>, sweep, stats.
func TestScenarios(t *testing.T) {
	script.Run(t, "testdata/scenarios/*.txt", func(t *testing.T) func(script.Step) string {
		var r *rig
		options := exposition.Options{TargetFamily: "target_info", Compression: exposition.CompressNever}
		return func(s script.Step) string {
			words := strings.Fields(s.Command)
			if words[0] == "options" {
				set(t, &options, words[1:])
				return ""
			}
			if r == nil {
				r = newRig(t, options)
			}
			switch words[0] {
			case "at":
				at, err := time.ParseDuration(words[1])
				require.NoError(t, err)
				r.now = time.Unix(0, 0).Add(at)
				return ""
			case "push":
				return r.push(s.Input)
			case "scrape":
				return show(t, r, words[1:])
			case "sweep":
				r.x.Sweep(r.now)
				return ""
			case "stats":
				return stats(r.x.Stats())
			}
			t.Fatalf("line %d: unknown command %q", s.Line, s.Command)
			return ""
		}
	})
}

func set(t *testing.T, o *exposition.Options, words []string) {
	for _, word := range words {
		key, val, _ := strings.Cut(word, "=")
		switch key {
		case "timestamps":
			o.Timestamps = true
		case "open_metrics":
			o.OpenMetrics = true
		case "created":
			o.CreatedLines = true
		case "const_label":
			name, v, _ := strings.Cut(val, ":")
			o.ConstLabels = map[string]string{name: v}
		case "namespace":
			o.FamilyName = func(name string) string { return val + "_" + name }
		case "collapse":
			o.LabelName = func(name string) string { return strings.ReplaceAll(name, "__", "_") }
		default:
			t.Fatalf("unknown option %q", word)
		}
	}
}

func show(t *testing.T, r *rig, words []string) string {
	escaping := ""
	if len(words) > 1 {
		escaping = ";escaping=" + words[1]
	}
	switch words[0] {
	case "text":
		page, _ := r.get(acceptText + escaping)
		return page
	case "openmetrics":
		page, _ := r.get(acceptOpenMetrics + escaping)
		return page
	case "protobuf":
		page, _ := r.get(acceptProtobuf + escaping)
		var b strings.Builder
		for _, f := range families(t, page) {
			fmt.Fprintf(&b, "%s %s %q\n", f.GetName(), f.GetType(), f.GetHelp())
			for _, m := range f.GetMetric() {
				// protojson puts spaces at random, to be no format to rely on.
				fmt.Fprintln(&b, " ", strings.ReplaceAll(protojson.Format(m), "\n", ""))
			}
		}
		return strings.Join(strings.Fields(b.String()), " ")
	}
	t.Fatalf("unknown format %q", words[0])
	return ""
}
