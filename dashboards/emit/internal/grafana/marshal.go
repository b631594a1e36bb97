package grafana

import (
	"bytes"
	"encoding/json"
)

// Marshal writes v as the files in dashboards/dist have it: indented, with a newline at the end, and with <, > and & as
// they are, since people read the queries. Map keys come out sorted, so equal input gives equal bytes.
func Marshal(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return unescapeHTML(buf.Bytes()), nil
}

// unescapeHTML undoes the escapes for HTML. The encoder above makes none, but union types of the SDK marshal themselves
// with json.Marshal, which does. It reads escapes pair by pair, so that an escaped backslash before "u003c" stays.
func unescapeHTML(data []byte) []byte {
	escapes := map[string]byte{`\u003c`: '<', `\u003e`: '>', `\u0026`: '&'}
	const length = len(`\u003c`)
	out := make([]byte, 0, len(data))
	for i := 0; i < len(data); i++ {
		if data[i] != '\\' || i+1 == len(data) {
			out = append(out, data[i])
			continue
		}
		if i+length <= len(data) {
			if char, ok := escapes[string(data[i:i+length])]; ok {
				out = append(out, char)
				i += length - 1
				continue
			}
		}
		out = append(out, data[i], data[i+1])
		i++
	}
	return out
}
