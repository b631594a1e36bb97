// Package readme lets a test hold a document to the code: every YAML block in it is loaded, examples are played, and its
// tables of keys name each key of a configuration with the default it really has.
//
// Tables are Markdown's. A key is written `a::b::c`; a row whose key ends in `::…` stands for all keys below that have no row
// of their own. A default in backticks is a value as a user would write it; one without (none, off) is prose and is not
// compared.
package readme

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
)

// A Block is a fenced code block of a document.
type Block struct {
	Place string // file:line of the opening fence, for messages
	Line  int
	Info  string // what stands behind the opening fence: the language, and what else a test wants to know
	Text  string
}

// A Row of a table: its cells by the header of their column.
type Row map[string]string

// Read returns the document.
func Read(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// YAML returns the YAML blocks of the document, one at least.
func YAML(t testing.TB, file string) []Block {
	t.Helper()
	yaml := slices.DeleteFunc(Blocks(t, file), func(b Block) bool { return b.Info != "yaml" })
	require.NotEmpty(t, yaml, "%s has no YAML block", file)
	return yaml
}

// Blocks returns all code blocks of the document.
func Blocks(t testing.TB, file string) []Block {
	t.Helper()
	return blocks(file, Read(t, file))
}

// Conf parses the block.
func (b Block) Conf(t testing.TB) *confmap.Conf {
	t.Helper()
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(b.Text))
	require.NoError(t, err, b.Place)
	conf, err := retrieved.AsConf()
	require.NoError(t, err, b.Place)
	return conf
}

// Load unmarshals and validates every component of the type under the block's key kind (processors, …), each into a
// configuration of its own, and returns them by id. There may be none.
func (b Block) Load(t testing.TB, kind, typ string, newConfig func() any) map[string]any {
	t.Helper()
	sections, err := b.Conf(t).Sub(kind)
	require.NoError(t, err, b.Place)
	loaded := map[string]any{}
	for id := range sections.ToStringMap() {
		if name, _, _ := strings.Cut(id, "/"); name != typ {
			continue
		}
		section, err := sections.Sub(id)
		require.NoError(t, err, b.Place)
		cfg := newConfig()
		require.NoError(t, section.Unmarshal(cfg), b.Place)
		require.NoError(t, confmap.Validate(cfg), b.Place)
		loaded[id] = cfg
	}
	return loaded
}

// Table returns the rows of the first table below the heading, which must be there.
func Table(t testing.TB, file, heading string) []Row {
	t.Helper()
	rows, err := table(Read(t, file), heading)
	require.NoError(t, err, file)
	return rows
}

func blocks(file, text string) (found []Block) {
	var current *Block
	number := 0
	for line := range strings.Lines(text) {
		number++
		info, fence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case fence && current == nil:
			current = &Block{Place: fmt.Sprintf("%s:%d", file, number), Line: number, Info: info}
		case fence:
			found = append(found, *current)
			current = nil
		case current != nil:
			current.Text += line
		}
	}
	return found
}

func table(text, heading string) (rows []Row, err error) {
	_, text, found := strings.Cut("\n"+text, "\n"+heading+"\n")
	if !found {
		return nil, fmt.Errorf("no heading %q", heading)
	}
	var header []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case !strings.HasPrefix(line, "|"):
			if header != nil {
				return rows, nil
			}
			if strings.HasPrefix(line, "#") {
				return nil, fmt.Errorf("no table below %q", heading)
			}
		case header == nil:
			header = cells(line)
		case strings.Trim(line, "|-: ") != "":
			row := Row{}
			for i, cell := range cells(line) {
				if i < len(header) {
					row[header[i]] = cell
				}
			}
			rows = append(rows, row)
		}
	}
	if header == nil {
		return nil, fmt.Errorf("no table below %q", heading)
	}
	return rows, nil
}

// cells cuts a line at the bars that are not escaped.
func cells(line string) (list []string) {
	line = strings.ReplaceAll(line, `\|`, "\x00")
	for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
		list = append(list, strings.ReplaceAll(strings.TrimSpace(cell), "\x00", "|"))
	}
	return list
}

// Code returns what stands between the first two backticks of a cell.
func Code(cell string) (text string, ok bool) {
	_, rest, ok := strings.Cut(cell, "`")
	if !ok {
		return "", false
	}
	text, _, ok = strings.Cut(rest, "`")
	return text, ok
}
