package readme

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/config/configoptional"
)

const document = `
# Thing

'''yaml
things:
  thing/a: {wait: 3s}
  other: {}
'''

'''text answer
yes
'''

## Keys

Prose.

| key | unit | default | meaning |
|---|---|---|---|
| 'wait' | duration | '5s' | a \| b |
| 'file::…' | | off | |

| not | this |
|---|---|
| one | |

## No table

### Deeper

| key |
|---|
| x |
`

type config struct {
	Wait time.Duration                       `mapstructure:"wait"`
	File configoptional.Optional[fileConfig] `mapstructure:"file"`
	Sub  *subConfig                          `mapstructure:"sub"`
	More moreConfig                          `mapstructure:",squash"`
	Rest map[string]any                      `mapstructure:",remain"`
}

type fileConfig struct {
	Path string `mapstructure:"path"`
	Mode int    `mapstructure:"mode"`
}

type subConfig struct {
	Names []fileConfig `mapstructure:"names"`
	Sub   *subConfig   `mapstructure:"sub"`
	More  moreConfig   `mapstructure:"more"`
}

type moreConfig struct {
	On bool `mapstructure:"on"`
}

func newConfig() any {
	return &config{Wait: 5 * time.Second, File: configoptional.Default(fileConfig{Mode: 7}), More: moreConfig{On: true}}
}

func backticks(s string) string {
	out := []byte(s)
	for i, c := range out {
		if c == '\'' {
			out[i] = '`'
		}
	}
	return string(out)
}

func TestBlocks(t *testing.T) {
	all := blocks("doc.md", backticks(document))
	require.Len(t, all, 2)
	assert.Equal(t, "doc.md:4", all[0].Place)
	assert.Equal(t, Block{Place: "doc.md:10", Line: 10, Info: "text answer", Text: "yes\n"}, all[1])
}

func TestYAML(t *testing.T) {
	file := filepath.Join(t.TempDir(), "doc.md")
	require.NoError(t, os.WriteFile(file, []byte(backticks(document)), 0o600))
	blocks := YAML(t, file)
	require.Len(t, blocks, 1)
	loaded := blocks[0].Load(t, "things", "thing", newConfig)
	require.Len(t, loaded, 1)
	assert.Equal(t, 3*time.Second, loaded["thing/a"].(*config).Wait)
	assert.Empty(t, blocks[0].Load(t, "others", "thing", newConfig))
}

func TestTable(t *testing.T) {
	rows, err := table(backticks(document), "## Keys")
	require.NoError(t, err)
	assert.Equal(t, []Row{
		{"key": "`wait`", "unit": "duration", "default": "`5s`", "meaning": "a | b"},
		{"key": "`file::…`", "unit": "", "default": "off", "meaning": ""},
	}, rows)
	for _, heading := range []string{"## No table", "## Nowhere"} {
		_, err := table(document, heading)
		assert.ErrorContains(t, err, heading)
	}
}

func TestKeys(t *testing.T) {
	assert.Equal(t, []string{"file::mode", "file::path", "on", "sub::more", "sub::names", "sub::sub", "wait"}, Keys(newConfig()))
	assert.True(t, covered("file::mode", []string{"file::…"}))
	assert.True(t, covered("on", []string{"on"}))
	assert.False(t, covered("on", []string{"o", "on::…"}))
}

func TestLookup(t *testing.T) {
	v, ok := lookup(reflect.ValueOf(newConfig()), []string{"file", "mode"})
	require.True(t, ok)
	assert.Equal(t, 7, v.Interface())
	for _, path := range [][]string{{"file", "nothing"}, {"wait", "deeper"}, {""}} {
		_, ok := lookup(reflect.ValueOf(newConfig()), path)
		assert.False(t, ok, path)
	}
}

// What is wrong in a table is found.
func TestChecksFail(t *testing.T) {
	for name, rows := range map[string][]Row{
		"a wrong default": {{"key": "`wait`", "default": "`6s`"}, {"key": "`file::…`"}, {"key": "`sub::…`"}, {"key": "`on`"}},
		"a missing key":   {{"key": "`wait`", "default": "`5s`"}, {"key": "`file::…`"}, {"key": "`sub::…`"}},
		"an unknown key":  {{"key": "`wait`"}, {"key": "`file::…`"}, {"key": "`sub::…`"}, {"key": "`on`"}, {"key": "`off`"}},
	} {
		r := recorder{TB: t}
		CheckKeys(&r, rows, newConfig)
		assert.Equal(t, 1, r.errors, name)
	}
	r := recorder{TB: t}
	CheckKeys(&r, []Row{
		{"key": "`wait`", "default": "`5s`"},
		{"key": "`file::path`", "default": "none"},
		{"key": "`file::mode`", "default": "`7`"},
		{"key": "`sub::names`"},
		{"key": "`sub::sub`"},
		{"key": "`sub::more`"},
		{"key": "`on`", "default": "`true`"},
	}, newConfig)
	assert.Zero(t, r.errors)
}

type recorder struct {
	testing.TB
	errors int
}

func (*recorder) Helper()                 {}
func (r *recorder) Errorf(string, ...any) { r.errors++ }
