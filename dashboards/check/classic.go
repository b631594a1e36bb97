package check

import (
	"encoding/json"
	"fmt"
)

type classicDashboard struct {
	UID         string         `json:"uid"`
	Title       string         `json:"title"`
	Description string         `json:"description"`
	Panels      []classicPanel `json:"panels"`
	Time        struct {
		From string `json:"from"`
	} `json:"time"`
	Templating struct {
		List []struct {
			Name       string          `json:"name"`
			Type       string          `json:"type"`
			Query      json.RawMessage `json:"query"`
			AllValue   string          `json:"allValue"`
			IncludeAll bool            `json:"includeAll"`
		} `json:"list"`
	} `json:"templating"`
	Links []struct {
		Title       string `json:"title"`
		Type        string `json:"type"`
		URL         string `json:"url"`
		IncludeVars bool   `json:"includeVars"`
	} `json:"links"`
}

type classicPanel struct {
	ID          int    `json:"id"`
	Type        string `json:"type"`
	Title       string `json:"title"`
	Description string `json:"description"`
	Interval    string `json:"interval"`
	GridPos     struct {
		X int `json:"x"`
		Y int `json:"y"`
		W int `json:"w"`
		H int `json:"h"`
	} `json:"gridPos"`
	Targets         []json.RawMessage `json:"targets"`
	Panels          []classicPanel    `json:"panels"` // of a folded row
	FieldConfig     fieldConfig       `json:"fieldConfig"`
	Links           []dataLink        `json:"links"`
	Options         any               `json:"options"`
	Transformations []struct {
		ID      string          `json:"id"`
		Options json.RawMessage `json:"options"`
	} `json:"transformations"`
}

type promTarget struct {
	RefID        string `json:"refId"`
	Expr         string `json:"expr"`
	LegendFormat string `json:"legendFormat"`
	Instant      bool   `json:"instant"`
	Exemplar     bool   `json:"exemplar"`
	Hide         bool   `json:"hide"`
	Datasource   struct {
		UID string `json:"uid"`
	} `json:"datasource"`
}

func parseClassic(data []byte) (Dashboard, error) {
	var c classicDashboard
	if err := json.Unmarshal(data, &c); err != nil {
		return Dashboard{}, fmt.Errorf("classic dashboard: %w", err)
	}
	d := Dashboard{Schema: "classic", UID: c.UID, Title: c.Title, Description: c.Description, From: c.Time.From}
	if err := json.Unmarshal(data, &d.raw); err != nil {
		return Dashboard{}, err
	}
	for _, v := range c.Templating.List {
		query, err := variableQuery(v.Query)
		if err != nil {
			return Dashboard{}, fmt.Errorf("variable %s: %w", v.Name, err)
		}
		d.Variables = append(d.Variables, Variable{Name: v.Name, Type: v.Type, Query: query, AllValue: v.AllValue, IncludeAll: v.IncludeAll})
	}
	for _, l := range c.Links {
		if l.Type == "link" {
			d.Links = append(d.Links, Link{Title: l.Title, URL: l.URL, IncludeVars: l.IncludeVars})
		}
	}
	err := d.addClassic(c.Panels, "page")
	return d, err
}

// addClassic adds panels; the panels of a folded row stand on a grid of their own.
func (d *Dashboard) addClassic(panels []classicPanel, section string) error {
	for _, cp := range panels {
		p := Panel{ID: cp.ID, Title: cp.Title, Description: cp.Description, Type: cp.Type, Section: section, Interval: cp.Interval,
			Grid: Grid{cp.GridPos.X, cp.GridPos.Y, cp.GridPos.W, cp.GridPos.H}, options: cp.Options}
		if err := cp.FieldConfig.read(&p); err != nil {
			return fmt.Errorf("panel %q: %w", cp.Title, err)
		}
		for _, l := range cp.Links {
			p.Links = append(p.Links, Link{Title: l.Title, URL: l.URL})
		}
		for _, t := range cp.Transformations {
			if err := columns(t.ID, t.Options, &p); err != nil {
				return fmt.Errorf("panel %q: %w", cp.Title, err)
			}
		}
		for _, raw := range cp.Targets {
			t, err := parseTarget(raw)
			if err != nil {
				return fmt.Errorf("panel %q: %w", cp.Title, err)
			}
			p.Targets = append(p.Targets, t)
		}
		d.Panels = append(d.Panels, p)
		if err := d.addClassic(cp.Panels, fmt.Sprintf("row %d", cp.ID)); err != nil {
			return err
		}
	}
	return nil
}

func parseTarget(raw json.RawMessage) (Target, error) {
	var t promTarget
	if err := json.Unmarshal(raw, &t); err != nil {
		return Target{}, fmt.Errorf("target: %w", err)
	}
	out := Target{Ref: t.RefID, Expr: t.Expr, Legend: t.LegendFormat, Datasource: t.Datasource.UID,
		Instant: t.Instant, Exemplar: t.Exemplar, Hidden: t.Hide}
	err := json.Unmarshal(raw, &out.raw)
	return out, err
}

// variableQuery reads the two forms that the query of a variable has.
func variableQuery(raw json.RawMessage) (string, error) {
	if len(raw) == 0 {
		return "", nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	var object struct {
		Query string `json:"query"`
	}
	err := json.Unmarshal(raw, &object)
	return object.Query, err
}
