// Package report turns the figures of a benchmark into Markdown, says which machine they are of, and keeps a section of a
// file that people write the rest of.
package report

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// Update replaces what stands between the markers of a section in a file, or appends the section, markers and all. A
// file that does not exist starts with intro. What stands outside the markers is not touched.
func Update(path, section, intro, body string) error {
	old, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		old = []byte(intro)
	case err != nil:
		return fmt.Errorf("read the report to update: %w", err)
	}
	text, err := replace(string(old), section, body)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

func replace(text, section, body string) (string, error) {
	begin := fmt.Sprintf("<!-- %s:begin, written by the benchmark: do not edit -->", section)
	end := fmt.Sprintf("<!-- %s:end -->", section)
	block := begin + "\n" + strings.TrimSpace(body) + "\n" + end
	before, rest, found := strings.Cut(text, begin)
	if !found {
		if strings.Contains(text, end) {
			return "", fmt.Errorf("has %q without %q: put the marker back or remove both", end, begin)
		}
		return strings.TrimRight(text, "\n") + "\n\n" + block + "\n", nil
	}
	_, after, found := strings.Cut(rest, end)
	if !found {
		return "", fmt.Errorf("has %q without %q: put the marker back or remove both", begin, end)
	}
	return before + block + after, nil
}
