package config

import (
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Size is a number of bytes, written as 512, 64KiB, 16MiB or 1GiB.
type Size int64

var units = []struct {
	suffix string
	bytes  int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}}

// UnmarshalYAML reads a size.
func (s *Size) UnmarshalYAML(n *yaml.Node) error {
	for _, u := range units {
		digits, ok := strings.CutSuffix(n.Value, u.suffix)
		if !ok {
			continue
		}
		v, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || v < 0 || v > math.MaxInt64/u.bytes {
			break
		}
		*s = Size(v * u.bytes)
		return nil
	}
	return scalarError(n, "%q is not a size: write bytes as 512, 64KiB, 16MiB or 1GiB", n.Value)
}

func (s Size) String() string {
	for _, u := range units[:3] {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// Hosts is one host or a list of them.
type Hosts []string

// UnmarshalYAML reads a word or a list of words.
func (h *Hosts) UnmarshalYAML(n *yaml.Node) error {
	words := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		words = n.Content
	}
	for _, w := range words {
		if w.Kind != yaml.ScalarNode {
			return scalarError(w, "want a host or a list of hosts, as in [shop.example, \"*.shop.example\"]")
		}
		*h = append(*h, w.Value)
	}
	return nil
}

// Level is a log level: debug, info, warn or error.
type Level slog.Level

// Level makes it a slog.Leveler.
func (l Level) Level() slog.Level { return slog.Level(l) }

// UnmarshalYAML reads a level.
func (l *Level) UnmarshalYAML(n *yaml.Node) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(n.Value)); err != nil {
		return scalarError(n, "%q is not a log level: write debug, info, warn or error", n.Value)
	}
	*l = Level(level)
	return nil
}

// scalarError has the form of the YAML library's own errors, so that it is collected with them and given its key path.
func scalarError(n *yaml.Node, format string, args ...any) error {
	return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: ", n.Line) + fmt.Sprintf(format, args...)}}
}
