package config

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/tailgate-otel/tailgate/internal/yamlkeys"
)

// Load reads and checks the file. The error joins everything that is wrong with it.
func Load(file string) (*Config, error) {
	data, err := Read(file)
	if err != nil {
		return nil, err
	}
	return Parse(file, data)
}

// Read reads the file and says what to do when it cannot.
func Read(file string) ([]byte, error) {
	data, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s: no such file; name the gateway's configuration with --config", file)
	}
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return data, nil
}

// Parse is Load for data that was read already. file is used in messages only.
func Parse(file string, data []byte) (*Config, error) {
	c := Default()
	if err := yamlkeys.Decode(file, data, c); err != nil {
		return nil, err
	}
	c.complete()
	problems := c.problems()
	if len(problems) == 0 {
		return c, nil
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	var errs []error
	for _, p := range problems {
		errs = append(errs, fmt.Errorf("%s:%d: %s: %s", file, lineOf(&doc, p.path), p.path, p.text))
	}
	return nil, errors.Join(errs...)
}

// lineOf finds the line of a key path such as routes[0].match.path, or that of its nearest ancestor in the document.
func lineOf(doc *yaml.Node, path string) int {
	if len(doc.Content) == 0 {
		return 1
	}
	n, line := doc.Content[0], 1
	for _, step := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		if n.Kind == yaml.AliasNode {
			n = n.Alias
		}
		next := (*yaml.Node)(nil)
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				if n.Content[i].Value == step {
					line, next = n.Content[i].Line, n.Content[i+1]
				}
			}
		case yaml.SequenceNode:
			if i, err := strconv.Atoi(step); err == nil && i < len(n.Content) {
				next = n.Content[i]
				line = next.Line
			}
		}
		if next == nil {
			break
		}
		n = next
	}
	return line
}

// RestartKeys lists the keys that differ between two configurations and take effect at the next start only.
func RestartKeys(before, after *Config) []string {
	var keys []string
	add := func(key string, changed bool) {
		if changed {
			keys = append(keys, key)
		}
	}
	add("listen", before.Listen != after.Listen)
	add("admin", before.Admin != after.Admin)
	add("frontend", before.Frontend != after.Frontend)
	add("tls", (before.TLS == nil) != (after.TLS == nil) || before.TLS != nil && *before.TLS != *after.TLS)
	telemetry := before.Telemetry
	telemetry.TrustInboundTrace, telemetry.AccessLogLevel = after.Telemetry.TrustInboundTrace, after.Telemetry.AccessLogLevel
	add("telemetry", telemetry != after.Telemetry)
	add("limits.max_header", before.Limits.MaxHeader != after.Limits.MaxHeader)
	add("limits.max_connections", before.Limits.MaxConnections != after.Limits.MaxConnections)
	add("timeouts.read_header", before.Timeouts.ReadHeader != after.Timeouts.ReadHeader)
	add("timeouts.idle", before.Timeouts.Idle != after.Timeouts.Idle)
	add("timeouts.drain_delay", before.Timeouts.DrainDelay != after.Timeouts.DrainDelay)
	add("timeouts.drain", before.Timeouts.Drain != after.Timeouts.Drain)
	return keys
}
