package ruling

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension/internal/dialect"
)

// Sources say where rules come from.
type Sources struct {
	// Files are patterns as in Prometheus' rule_files. One without a wildcard must match.
	Files []string
	// Embedded, if not nil, holds rule files that come with the program: every *.yaml and *.yml below its root. They show
	// as builtin:<path>.
	Embedded fs.FS
}

// RuleSet is a set of rule files that are all valid. It is immutable.
type RuleSet struct {
	files  []string // sorted names
	groups map[string]*rulefmt.RuleGroups
}

// Load reads all rules and reports everything that is wrong with any of them, each problem with file and line. Paths are
// relative to the working directory.
func Load(sources Sources, logger *slog.Logger) (*RuleSet, error) {
	set := &RuleSet{groups: map[string]*rulefmt.RuleGroups{}}
	paths, errs := find(sources.Files)
	for _, file := range paths {
		content, err := os.ReadFile(file)
		if err != nil {
			errs = append(errs, fmt.Errorf("rule_files: %w", err))
			continue
		}
		errs = append(errs, set.add(file, content, logger)...)
	}
	if sources.Embedded != nil {
		errs = append(errs, set.addEmbedded(sources.Embedded, logger)...)
	}
	slices.Sort(set.files)
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return set, nil
}

// find returns the files that match, each once and by its absolute path, so that a group keeps its identity when the same
// file is named another way.
func find(patterns []string) (paths []string, errs []error) {
	for _, pattern := range patterns {
		matches, err := filepath.Glob(pattern)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("rule_files: pattern %q: %w: write a path with *, ? or [a-z]", pattern, err))
		case len(matches) == 0 && !strings.ContainsAny(pattern, `*?[\`):
			errs = append(errs, fmt.Errorf("rule_files: %q: no such file: create it, or take it out of the list", pattern))
		}
		for _, match := range matches {
			full, err := filepath.Abs(match)
			if err != nil {
				errs = append(errs, fmt.Errorf("rule_files: %q: %w", match, err))
				continue
			}
			paths = append(paths, full)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), errs
}

func (s *RuleSet) addEmbedded(files fs.FS, logger *slog.Logger) (errs []error) {
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if ext := path.Ext(name); ext != ".yaml" && ext != ".yml" {
			return nil
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		errs = append(errs, s.add("builtin:"+name, content, logger)...)
		return nil
	})
	if err != nil {
		errs = append(errs, fmt.Errorf("read embedded rules: %w", err))
	}
	return errs
}

func (s *RuleSet) add(file string, content []byte, logger *slog.Logger) []error {
	groups, errs := parse(file, content, logger)
	if len(errs) > 0 {
		return errs
	}
	s.files = append(s.files, file)
	s.groups[file] = groups
	return nil
}

// Counts are how many groups and rules the set has.
func (s *RuleSet) Counts() (groups, rules int) {
	for _, file := range s.groups {
		groups += len(file.Groups)
		for _, g := range file.Groups {
			rules += len(g.Rules)
		}
	}
	return groups, rules
}

// loader gives the rule manager what has been read and checked, so that a file that is edited between check and use
// cannot bring in anything unchecked. It is used inside Manager.apply only, which sets it.
type loader struct {
	set    *RuleSet
	parser parser.Parser
}

// Load implements rules.GroupLoader.
func (l *loader) Load(file string, _ bool, _ model.ValidationScheme) (*rulefmt.RuleGroups, []error) {
	groups, ok := l.set.groups[file]
	if !ok {
		return nil, []error{fmt.Errorf("rule file %s has not been read", file)}
	}
	return groups, nil
}

// Parse implements rules.GroupLoader.
func (l *loader) Parse(query string) (parser.Expr, error) { return l.parser.ParseExpr(query) }

// newParser returns the parser of rule expressions: plain PromQL, as the engine's.
func newParser() parser.Parser { return dialect.Parser() }
