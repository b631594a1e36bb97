package check

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

type v2Dashboard struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Title        string               `json:"title"`
		Description  string               `json:"description"`
		Elements     map[string]v2Element `json:"elements"`
		Layout       v2Layout             `json:"layout"`
		TimeSettings struct {
			From string `json:"from"`
		} `json:"timeSettings"`
		Variables []struct {
			Kind string `json:"kind"`
			Spec struct {
				Name       string          `json:"name"`
				AllValue   string          `json:"allValue"`
				IncludeAll bool            `json:"includeAll"`
				Query      json.RawMessage `json:"query"`
			} `json:"spec"`
		} `json:"variables"`
		Links []struct {
			Title       string `json:"title"`
			Type        string `json:"type"`
			URL         string `json:"url"`
			IncludeVars bool   `json:"includeVars"`
		} `json:"links"`
	} `json:"spec"`
}

type v2Element struct {
	Kind string `json:"kind"`
	Spec struct {
		ID          float64    `json:"id"`
		Title       string     `json:"title"`
		Description string     `json:"description"`
		Links       []dataLink `json:"links"`
		Data        struct {
			Spec struct {
				Queries []struct {
					Spec struct {
						RefID  string  `json:"refId"`
						Hidden bool    `json:"hidden"`
						Query  v2Query `json:"query"`
					} `json:"spec"`
				} `json:"queries"`
				Transformations []struct {
					Group string `json:"group"`
					Spec  struct {
						Options json.RawMessage `json:"options"`
					} `json:"spec"`
				} `json:"transformations"`
				QueryOptions struct {
					Interval string `json:"interval"`
				} `json:"queryOptions"`
			} `json:"spec"`
		} `json:"data"`
		VizConfig struct {
			Group string `json:"group"`
			Spec  struct {
				Options     any         `json:"options"`
				FieldConfig fieldConfig `json:"fieldConfig"`
			} `json:"spec"`
		} `json:"vizConfig"`
	} `json:"spec"`
}

type v2Query struct {
	Datasource struct {
		Name string `json:"name"`
	} `json:"datasource"`
	Spec json.RawMessage `json:"spec"`
}

// v2Layout is a grid, or rows of layouts. Other layouts place panels by themselves and have nothing to check.
type v2Layout struct {
	Kind string `json:"kind"`
	Spec struct {
		Items []struct {
			Spec struct {
				X       int `json:"x"`
				Y       int `json:"y"`
				Width   int `json:"width"`
				Height  int `json:"height"`
				Element struct {
					Name string `json:"name"`
				} `json:"element"`
			} `json:"spec"`
		} `json:"items"`
		Rows []struct {
			Spec struct {
				Title  string   `json:"title"`
				Layout v2Layout `json:"layout"`
			} `json:"spec"`
		} `json:"rows"`
	} `json:"spec"`
}

func parseV2(data []byte) (Dashboard, error) {
	var v v2Dashboard
	if err := json.Unmarshal(data, &v); err != nil {
		return Dashboard{}, fmt.Errorf("v2 dashboard: %w", err)
	}
	d := Dashboard{Schema: "v2", UID: v.Metadata.Name, Title: v.Spec.Title, Description: v.Spec.Description, From: v.Spec.TimeSettings.From}
	if err := json.Unmarshal(data, &d.raw); err != nil {
		return Dashboard{}, err
	}
	for _, vr := range v.Spec.Variables {
		var q struct {
			Spec json.RawMessage `json:"spec"`
		}
		out := Variable{Name: vr.Spec.Name, Type: strings.ToLower(strings.TrimSuffix(vr.Kind, "Variable")), AllValue: vr.Spec.AllValue, IncludeAll: vr.Spec.IncludeAll}
		if out.Type == "query" {
			if err := json.Unmarshal(vr.Spec.Query, &q); err != nil {
				return Dashboard{}, fmt.Errorf("variable %s: %w", out.Name, err)
			}
			var err error
			if out.Query, err = variableQuery(q.Spec); err != nil {
				return Dashboard{}, fmt.Errorf("variable %s: %w", out.Name, err)
			}
		}
		d.Variables = append(d.Variables, out)
	}
	for _, l := range v.Spec.Links {
		if l.Type == "link" {
			d.Links = append(d.Links, Link{Title: l.Title, URL: l.URL, IncludeVars: l.IncludeVars})
		}
	}
	placed, err := d.addV2(v.Spec.Layout, v.Spec.Elements, "page")
	if err != nil {
		return Dashboard{}, err
	}
	for name := range v.Spec.Elements {
		if !slices.Contains(placed, name) {
			return Dashboard{}, fmt.Errorf("element %s stands in no layout, so nobody sees it", name)
		}
	}
	return d, nil
}

// addV2 adds the panels of a layout and returns the names of the elements it placed.
func (d *Dashboard) addV2(l v2Layout, elements map[string]v2Element, section string) ([]string, error) {
	var placed []string
	for _, item := range l.Spec.Items {
		name := item.Spec.Element.Name
		e, ok := elements[name]
		if !ok {
			return nil, fmt.Errorf("layout names element %s, which does not exist", name)
		}
		p, err := e.panel()
		if err != nil {
			return nil, fmt.Errorf("element %s: %w", name, err)
		}
		p.Section, p.Grid = section, Grid{item.Spec.X, item.Spec.Y, item.Spec.Width, item.Spec.Height}
		d.Panels, placed = append(d.Panels, p), append(placed, name)
	}
	for i, row := range l.Spec.Rows {
		names, err := d.addV2(row.Spec.Layout, elements, fmt.Sprintf("%s, row %d", section, i))
		if err != nil {
			return nil, err
		}
		placed = append(placed, names...)
	}
	return placed, nil
}

func (e v2Element) panel() (Panel, error) {
	s := e.Spec
	p := Panel{ID: int(s.ID), Title: s.Title, Description: s.Description, Type: s.VizConfig.Group,
		Interval: s.Data.Spec.QueryOptions.Interval, options: s.VizConfig.Spec.Options}
	if err := s.VizConfig.Spec.FieldConfig.read(&p); err != nil {
		return p, err
	}
	for _, l := range s.Links {
		p.Links = append(p.Links, Link{Title: l.Title, URL: l.URL})
	}
	for _, t := range s.Data.Spec.Transformations {
		if err := columns(t.Group, t.Spec.Options, &p); err != nil {
			return p, err
		}
	}
	for _, q := range s.Data.Spec.Queries {
		t, err := parseTarget(q.Spec.Query.Spec)
		if err != nil {
			return p, err
		}
		t.Ref, t.Hidden, t.Datasource = q.Spec.RefID, q.Spec.Hidden, q.Spec.Query.Datasource.Name
		p.Targets = append(p.Targets, t)
	}
	return p, nil
}
