package grafana_test

import (
	"encoding/json"
	"testing"

	"github.com/tailgate-otel/tailgate/dashboards/emit/internal/grafana"
)

// union marshals itself as the SDK's unions do.
type union struct{ text string }

func (u union) MarshalJSON() ([]byte, error) { return json.Marshal(u.text) }

func TestMarshalKeepsTextReadable(t *testing.T) {
	for text, want := range map[string]string{
		`a < 1 && b > 2`: `"a < 1 && b > 2"`,
		`\u003c`:         `"\\u003c"`,
		`\<`:             `"\\<"`,
		"\"\t\u2028":     `"\"\t\u2028"`,
	} {
		got, err := grafana.Marshal(union{text})
		if err != nil || string(got) != want+"\n" {
			t.Errorf("%q: got %s and %v, want %s", text, got, err, want)
		}
		var back string
		if err := json.Unmarshal(got, &back); err != nil || back != text {
			t.Errorf("%q comes back as %q, %v", text, back, err)
		}
	}
}
