package check

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Dashboard is what the rules see of a dashboard of either schema.
type Dashboard struct {
	File        string
	Schema      string // classic or v2
	UID, Title  string
	Description string
	From        string // beginning of the time range: now-15m
	Panels      []Panel
	Variables   []Variable
	Links       []Link
	raw         any // the decoded file, for the schemas
}

// Panel is one panel.
type Panel struct {
	ID                 int
	Title, Description string
	Type               string // plugin id
	Section            string // the grid it stands on: panels of different sections cannot overlap
	Grid               Grid
	Interval           string
	Units              []string
	Targets            []Target
	Links              []Link
	// Columns maps the fields that a table shows to their titles; empty for other panels.
	Columns map[string]string
	options any
	custom  any
}

// Grid is a place on the grid.
type Grid struct{ X, Y, W, H int }

// Target is one query of a panel.
type Target struct {
	Ref, Expr, Legend string
	Datasource        string
	Instant, Exemplar bool
	Hidden            bool
	raw               any
}

// Variable is a variable of a dashboard.
type Variable struct {
	Name, Type string // type is datasource, query, custom, ...
	Query      string
	AllValue   string
	IncludeAll bool
}

// Link is a link of a dashboard, a panel or a field.
type Link struct {
	Title, URL  string
	IncludeVars bool
}

// Load reads every .json file of the folders classic and v2 of fsys, or of fsys itself when it has neither. What is no
// dashboard is a finding, not an error.
func Load(fsys fs.FS) ([]Dashboard, []Finding, error) {
	var files []string
	for _, pattern := range []string{"classic/*.json", "v2/*.json"} {
		found, err := fs.Glob(fsys, pattern)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		var err error
		if files, err = fs.Glob(fsys, "*.json"); err != nil {
			return nil, nil, err
		}
	}
	if len(files) == 0 {
		return nil, nil, fmt.Errorf("no dashboards: neither classic/*.json, v2/*.json nor *.json exists")
	}
	var all []Dashboard
	var findings []Finding
	for _, file := range files {
		data, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, nil, err
		}
		d, err := Parse(file, data)
		if err != nil {
			findings = append(findings, Finding{Rule: "schema", File: file, Dashboard: path.Base(file), Message: err.Error()})
			continue
		}
		all = append(all, d)
	}
	return all, findings, nil
}

// Parse reads one dashboard of either schema.
func Parse(file string, data []byte) (Dashboard, error) {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return Dashboard{}, fmt.Errorf("not a JSON object: %w", err)
	}
	read := parseClassic
	if head.APIVersion != "" {
		if !strings.HasPrefix(head.APIVersion, "dashboard.grafana.app/v2") || head.Kind != "Dashboard" {
			return Dashboard{}, fmt.Errorf("%s %s: want kind Dashboard of dashboard.grafana.app/v2", head.APIVersion, head.Kind)
		}
		read = parseV2
	}
	d, err := read(data)
	if err != nil {
		return Dashboard{}, err
	}
	d.File = file
	return d, nil
}

// fieldConfig is the part of a field configuration that the rules look at; both schemas write it alike.
type fieldConfig struct {
	Defaults struct {
		Unit   string     `json:"unit"`
		Links  []dataLink `json:"links"`
		Custom any        `json:"custom"`
	} `json:"defaults"`
	Overrides []struct {
		Properties []struct {
			ID    string          `json:"id"`
			Value json.RawMessage `json:"value"`
		} `json:"properties"`
	} `json:"overrides"`
}

type dataLink struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}

// read adds units and links of the configuration to the panel.
func (c fieldConfig) read(p *Panel) error {
	p.custom = c.Defaults.Custom
	if c.Defaults.Unit != "" {
		p.Units = append(p.Units, c.Defaults.Unit)
	}
	for _, l := range c.Defaults.Links {
		p.Links = append(p.Links, Link{Title: l.Title, URL: l.URL})
	}
	for _, o := range c.Overrides {
		for _, prop := range o.Properties {
			switch prop.ID {
			case "unit":
				var unit string
				if err := json.Unmarshal(prop.Value, &unit); err != nil {
					return fmt.Errorf("override of unit: %w", err)
				}
				p.Units = append(p.Units, unit)
			case "links":
				var links []dataLink
				if err := json.Unmarshal(prop.Value, &links); err != nil {
					return fmt.Errorf("override of links: %w", err)
				}
				for _, l := range links {
					p.Links = append(p.Links, Link{Title: l.Title, URL: l.URL})
				}
			}
		}
	}
	return nil
}

// columns reads the titles of a table's fields from the options of its organize transformation.
func columns(id string, options json.RawMessage, into *Panel) error {
	if id != "organize" {
		return nil
	}
	var o struct {
		RenameByName map[string]string `json:"renameByName"`
	}
	if err := json.Unmarshal(options, &o); err != nil {
		return fmt.Errorf("transformation organize: %w", err)
	}
	into.Columns = o.RenameByName
	return nil
}
