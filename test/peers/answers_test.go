package peers

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/internal/testkit/promserver"
)

// sameAnswer demands the same status, type and JSON, with series in any order: neither side promises one.
func sameAnswer(t *testing.T, path, what string, ours, stock promserver.Answer, known *differences) bool {
	t.Helper()
	var found string
	switch {
	case ours.Status != stock.Status:
		found = "status"
	case ours.ContentType() != stock.ContentType():
		found = "content type"
	case bytes.Equal(ours.Body, stock.Body):
		return true
	case !bytes.Equal(canonical(t, ours), canonical(t, stock)):
		found = "body"
	default:
		return true
	}
	if known.cover(path, what+": "+found) {
		return true
	}
	t.Errorf("%s %s: another %s\nours  %d %s %.1500s\nstock %d %s %.1500s", path, what, found,
		ours.Status, ours.ContentType(), ours.Body, stock.Status, stock.ContentType(), stock.Body)
	return false
}

// canonical is the JSON of an answer with keys, annotations and the elements of data.result sorted.
func canonical(t *testing.T, a promserver.Answer) []byte {
	t.Helper()
	if !json.Valid(a.Body) {
		return a.Body
	}
	v := a.JSON(t)
	if top, ok := v.(map[string]any); ok {
		for _, key := range []string{"warnings", "infos"} {
			if list, ok := top[key].([]any); ok {
				sortJSON(t, list)
			}
		}
		if data, ok := top["data"].(map[string]any); ok {
			if result, ok := data["result"].([]any); ok {
				sortJSON(t, result)
			}
		}
	}
	return marshal(t, v)
}

func sortJSON(t *testing.T, list []any) {
	t.Helper()
	slices.SortFunc(list, func(a, b any) int { return bytes.Compare(marshal(t, a), marshal(t, b)) })
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// flow reads a mapping in YAML's flow style.
func flow(t *testing.T, text string) section {
	t.Helper()
	m := section{}
	if err := yaml.Unmarshal([]byte(text), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// unflow writes a mapping on one line, which is JSON and thereby YAML.
func unflow(t *testing.T, m section) string {
	t.Helper()
	return string(marshal(t, m))
}

// readThrough copies what is read of a body.
func readThrough(body io.ReadCloser, copyTo io.Writer) io.ReadCloser {
	return struct {
		io.Reader
		io.Closer
	}{io.TeeReader(body, copyTo), body}
}
