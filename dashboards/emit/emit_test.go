package emit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/dashboards/defs"
	"github.com/tailgate-otel/tailgate/dashboards/emit"
	"github.com/tailgate-otel/tailgate/dashboards/model"
	"github.com/tailgate-otel/tailgate/telemetry"
)

func shipped(t *testing.T) []model.Dashboard {
	t.Helper()
	all, err := defs.All(telemetry.DefaultNaming)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// decoded is one JSON file, taken apart as generic data so that nothing of the emitters is trusted.
type decoded map[string]any

func files(t *testing.T) map[string]decoded {
	t.Helper()
	emitted, err := emit.Files(shipped(t))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]decoded{}
	for path, data := range emitted {
		var d decoded
		if err := json.Unmarshal(data, &d); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out[path] = d
	}
	return out
}

func list(v any) []map[string]any {
	var out []map[string]any
	items, _ := v.([]any)
	for _, i := range items {
		out = append(out, i.(map[string]any))
	}
	return out
}

func object(v any, keys ...string) map[string]any {
	for _, k := range keys {
		v = v.(map[string]any)[k]
	}
	m, _ := v.(map[string]any)
	return m
}

// asked is what the model says of a panel and both files must say too.
type asked struct {
	id                            int
	kind, title, description, uni string
	queries                       string
}

func fromModel(d model.Dashboard) []asked {
	var out []asked
	for _, r := range d.Rows {
		for _, p := range r.Panels {
			kind := map[string]string{"model.TimeSeries": "timeseries", "model.Stat": "stat", "model.Table": "table",
				"model.Heatmap": "heatmap", "model.Text": "text"}[fmt.Sprintf("%T", p.Visual)]
			a := asked{id: p.ID, kind: kind, title: p.Title, description: p.Description, uni: string(p.Unit)}
			for _, t := range p.Targets {
				a.queries += fmt.Sprintf("%s %s %s instant=%t exemplars=%t\n", t.Ref, t.Expr, t.Legend, t.Instant, t.Exemplars)
			}
			out = append(out, a)
		}
	}
	return out
}

func queryText(ref any, q map[string]any) string {
	legend, _ := q["legendFormat"].(string)
	exemplar, _ := q["exemplar"].(bool)
	return fmt.Sprintf("%s %s %s instant=%t exemplars=%t\n", ref, q["expr"], legend, q["instant"], exemplar)
}

func fromClassic(d decoded) []asked {
	var out []asked
	for _, p := range list(d["panels"]) {
		if p["type"] == "row" {
			continue
		}
		a := asked{id: int(p["id"].(float64)), kind: p["type"].(string), title: p["title"].(string),
			description: p["description"].(string), uni: object(p, "fieldConfig", "defaults")["unit"].(string)}
		for _, t := range list(p["targets"]) {
			a.queries += queryText(t["refId"], t)
		}
		out = append(out, a)
	}
	return out
}

func fromV2(d decoded) []asked {
	elements := object(d["spec"], "elements")
	var out []asked
	for _, row := range list(object(d["spec"], "layout", "spec")["rows"]) {
		for _, item := range list(object(row, "spec", "layout", "spec")["items"]) {
			p := object(elements[object(item, "spec", "element")["name"].(string)], "spec")
			a := asked{id: int(p["id"].(float64)), kind: object(p, "vizConfig")["group"].(string), title: p["title"].(string),
				description: p["description"].(string), uni: object(p, "vizConfig", "spec", "fieldConfig", "defaults")["unit"].(string)}
			for _, q := range list(object(p, "data", "spec")["queries"]) {
				spec := object(q, "spec")
				a.queries += queryText(spec["refId"], object(spec, "query", "spec"))
			}
			out = append(out, a)
		}
	}
	return out
}

// TestBothSchemasSayWhatTheModelSays compares ids, kinds, words, units and queries of every panel, in order.
func TestBothSchemasSayWhatTheModelSays(t *testing.T) {
	all := files(t)
	if len(all) != 2*len(shipped(t)) {
		t.Errorf("%d files of %d dashboards", len(all), len(shipped(t)))
	}
	for _, d := range shipped(t) {
		want := fromModel(d)
		if len(want) < 15 {
			t.Errorf("%s: only %d panels", d.UID, len(want))
		}
		for schema, got := range map[string][]asked{
			"classic": fromClassic(all["classic/"+d.UID+".json"]), "v2": fromV2(all["v2/"+d.UID+".json"]),
		} {
			if !slices.Equal(got, want) {
				t.Errorf("%s %s:\n got %+v\nwant %+v", schema, d.UID, got, want)
			}
		}
	}
}

// TestVariablesAndLinks compares names, kinds and queries of variables, and the addresses of links.
func TestVariablesAndLinks(t *testing.T) {
	all := files(t)
	for _, d := range shipped(t) {
		var want, classic, v2 []string
		for _, v := range d.Variables {
			want = append(want, fmt.Sprintf("%s %s %s all=%s", v.Kind, v.Name, v.Query, v.AllValue))
		}
		for _, v := range list(object(all["classic/"+d.UID+".json"]["templating"])["list"]) {
			query, _ := v["query"].(string)
			if v["type"] == "datasource" {
				query = ""
			}
			allValue, _ := v["allValue"].(string)
			classic = append(classic, fmt.Sprintf("%s %s %s all=%s", v["type"], v["name"], query, allValue))
		}
		for _, v := range list(object(all["v2/"+d.UID+".json"]["spec"])["variables"]) {
			spec := object(v, "spec")
			query := ""
			if spec["query"] != nil {
				query = object(spec, "query", "spec")["query"].(string)
			}
			allValue, _ := spec["allValue"].(string)
			kind := strings.ToLower(strings.TrimSuffix(v["kind"].(string), "Variable"))
			v2 = append(v2, fmt.Sprintf("%s %s %s all=%s", kind, spec["name"], query, allValue))
		}
		if !slices.Equal(classic, want) || !slices.Equal(v2, want) {
			t.Errorf("%s variables:\nmodel   %q\nclassic %q\nv2      %q", d.UID, want, classic, v2)
		}
		for schema, links := range map[string][]map[string]any{
			"classic": list(all["classic/"+d.UID+".json"]["links"]), "v2": list(object(all["v2/"+d.UID+".json"]["spec"])["links"]),
		} {
			if len(links) != len(d.Links) {
				t.Errorf("%s %s: %d links of %d", schema, d.UID, len(links), len(d.Links))
			}
			for i, l := range links {
				if _, hidden := l["placement"]; hidden {
					t.Errorf("%s %s: link %q has a placement, which hides it in a menu", schema, d.UID, l["title"])
				}
				if l["keepTime"] != true || l["includeVars"] != false || !strings.HasPrefix(l["url"].(string), "/d/"+d.Links[i].UID+"?${datasource:queryparam}") {
					t.Errorf("%s %s: link %v", schema, d.UID, l)
				}
			}
		}
	}
}

// TestTwiceTheSameBytes: a difference in git must mean a difference in a dashboard.
func TestTwiceTheSameBytes(t *testing.T) {
	first, err := emit.Files(shipped(t))
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		again, err := emit.Files(shipped(t))
		if err != nil {
			t.Fatal(err)
		}
		if !maps.EqualFunc(first, again, bytes.Equal) {
			t.Fatal("two runs gave different bytes")
		}
	}
}

// TestSizes: `kubectl apply` keeps a copy in an annotation of at most 262,144 bytes, so a ConfigMap of one dashboard,
// compact, must stay well below.
func TestSizes(t *testing.T) {
	const limit = 200 << 10
	emitted, err := emit.Files(shipped(t))
	if err != nil {
		t.Fatal(err)
	}
	for path, data := range emitted {
		var compact bytes.Buffer
		if err := json.Compact(&compact, data); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d bytes, %d compact", path, len(data), compact.Len())
		if compact.Len() > limit {
			t.Errorf("%s: %d bytes, more than %d", path, compact.Len(), limit)
		}
	}
}

// every is a dashboard with each kind of panel and everything optional set, a folded row included.
func every() model.Dashboard {
	d := model.Dashboard{UID: "every", Title: "Every", Description: "All kinds.", Range: 90 * 60e9, Refresh: 1500e6, MinStep: 5e9,
		Variables: []model.Variable{model.PrometheusDatasource()}}
	panel := func(id int, v model.Visual, targets ...model.Target) model.Panel {
		return model.Panel{ID: id, Title: fmt.Sprint("p", id), Description: "d", Width: 10, Height: 4, Visual: v, Unit: model.UnitBool,
			Decimals: model.Ptr(1), Min: model.Ptr(0.0), Max: model.Ptr(1.0), NoValue: "nothing", Targets: targets,
			Mappings:   []model.Mapping{{Value: "1", Text: "yes", Color: model.Good}},
			Thresholds: model.Steps(model.Good, model.From(0.5, model.Bad)),
			Links:      []model.DataLink{{UID: "other", Title: "Other", Set: map[string]string{"b": "B", "a": "A"}}}}
	}
	a := model.Target{Ref: "A", Expr: "a < 1 && b"}
	d.Rows = []model.Row{
		{ID: 1, Title: "Open", Panels: []model.Panel{panel(2, model.TimeSeries{}, a), panel(3, model.Stat{Names: true}, a), panel(4, model.Heatmap{}, a)}},
		{ID: 5, Title: "Folded", Collapsed: true, Panels: []model.Panel{panel(6, model.Table{Columns: []model.Column{{Label: "x", Title: "X"}}}, a),
			panel(7, model.Text{Markdown: "<b>"})}},
		{ID: 8, Title: "Last", Panels: []model.Panel{panel(9, model.Stat{}, a)}},
	}
	return d
}

func TestClassicRows(t *testing.T) {
	emitted, err := emit.Files([]model.Dashboard{every()})
	if err != nil {
		t.Fatal(err)
	}
	var d decoded
	if err := json.Unmarshal(emitted["classic/every.json"], &d); err != nil {
		t.Fatal(err)
	}
	at := func(p map[string]any) string {
		g := object(p, "gridPos")
		return fmt.Sprintf("%v:%v,%v,%vx%v", p["id"], g["x"], g["y"], g["w"], g["h"])
	}
	var got []string
	for _, p := range list(d["panels"]) {
		got = append(got, at(p))
		for _, inner := range list(p["panels"]) {
			got = append(got, "in "+at(inner))
		}
	}
	want := []string{"1:0,0,24x1", "2:0,1,10x4", "3:10,1,10x4", "4:0,5,10x4", "5:0,9,24x1", "in 6:0,10,10x4", "in 7:10,10,10x4",
		"8:0,10,24x1", "9:0,11,10x4"}
	if !slices.Equal(got, want) {
		t.Errorf("places\n got %q\nwant %q", got, want)
	}
	for _, text := range []string{`"now-90m"`, `"1500ms"`, `"a < 1 && b"`, `"<b>"`, `"noValue": "nothing"`,
		`var-a=${__data.fields[\"A\"]:percentencode}&var-b=${__data.fields[\"B\"]:percentencode}&${__url_time_range}`} {
		if !bytes.Contains(emitted["classic/every.json"], []byte(text)) {
			t.Errorf("classic file lacks %s", text)
		}
	}
}

func TestEmitRefusesWhatIsInvalid(t *testing.T) {
	bad := every()
	bad.Rows[0].Panels[0].Width = 30
	if _, err := emit.Files([]model.Dashboard{bad}); err == nil || !strings.Contains(err.Error(), "30 x 4 cells") {
		t.Errorf("a panel of 30 columns: %v", err)
	}
	if _, err := emit.Files([]model.Dashboard{every(), every()}); err == nil || !strings.Contains(err.Error(), "uid every") {
		t.Errorf("two dashboards of one uid: %v", err)
	}
}
