package viewerweb

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// summary is what the viewer's menu shows of a dashboard.
type summary struct {
	UID         string   `json:"uid"`
	Title       string   `json:"title"`
	Description string   `json:"description"`
	Tags        []string `json:"tags"`
}

// readDashboards returns the dashboards by uid and their list sorted by title.
func readDashboards(fsys fs.FS) (map[string]document, document, error) {
	names, err := fs.Glob(fsys, "*.json")
	if err != nil {
		return nil, document{}, err
	}
	byUID := map[string]document{}
	summaries := []summary{}
	for _, name := range names {
		content, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, document{}, err
		}
		s, err := summarise(name, content)
		if err != nil {
			return nil, document{}, err
		}
		byUID[s.UID] = newDocument(content, ".json")
		summaries = append(summaries, s)
	}
	slices.SortFunc(summaries, func(a, b summary) int {
		return cmp.Or(cmp.Compare(a.Title, b.Title), cmp.Compare(a.UID, b.UID))
	})
	list, err := json.Marshal(summaries)
	if err != nil {
		return nil, document{}, err
	}
	return byUID, newDocument(list, ".json"), nil
}

func summarise(name string, content []byte) (summary, error) {
	s := summary{Tags: []string{}}
	if err := json.Unmarshal(content, &s); err != nil {
		return summary{}, fmt.Errorf("%s: %w", name, err)
	}
	if want := strings.TrimSuffix(path.Base(name), ".json"); s.UID != want {
		return summary{}, fmt.Errorf("%s: uid is %q, must be %q like the file", name, s.UID, want)
	}
	if s.Title == "" {
		return summary{}, fmt.Errorf("%s: title is empty", name)
	}
	if s.Tags == nil {
		s.Tags = []string{}
	}
	return s, nil
}
