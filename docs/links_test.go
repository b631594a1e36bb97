package docs_test

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// A link in a document leads to a file or folder that is there, and to a heading that stands in it.
func TestLinksInDocuments(t *testing.T) {
	found := 0
	for _, document := range documents(t) {
		text, err := os.ReadFile(document)
		require.NoError(t, err)
		for _, match := range link.FindAllStringSubmatch(string(text), -1) {
			target, err := url.Parse(match[1])
			if !assert.NoError(t, err, document) || target.IsAbs() {
				continue
			}
			found++
			file := document
			if target.Path != "" {
				file = filepath.Join(filepath.Dir(document), target.Path)
			}
			_, err = os.Stat(file)
			assert.NoError(t, err, "%s: link %s", document, match[1])
			if target.Fragment != "" {
				assert.Contains(t, anchors(t, file), target.Fragment, "%s: link %s", document, match[1])
			}
		}
	}
	assert.Greater(t, found, 50)
}

// documents are the README.md of the repository and of components, and all of this folder.
func documents(t *testing.T) []string {
	t.Helper()
	all := []string{"../README.md"}
	for _, pattern := range []string{"../*/*/README.md", "../*/README.md"} {
		readmes, err := filepath.Glob(pattern)
		require.NoError(t, err)
		all = append(all, readmes...)
	}
	require.NoError(t, filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".md") {
			all = append(all, path)
		}
		return err
	}))
	return all
}

// anchors are what a forge makes of the headings: lower case, hyphens for spaces, no punctuation.
func anchors(t *testing.T, file string) (list []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, match := range heading.FindAllStringSubmatch(string(text), -1) {
		list = append(list, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, match[1]))
	}
	return list
}
