package grafana

import (
	"fmt"
	"net/url"
	"sort"
	"strings"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"

	"github.com/tailgate-otel/tailgate/dashboards/model"
)

// PluginPrometheus is the type of our data source.
const PluginPrometheus = "prometheus"

// All is Grafana's value of a variable whose every value is chosen.
const All = "$__all"

// DatasourceName refers to the data source variable.
const DatasourceName = "${" + model.DatasourceVariable + "}"

// Datasource is the reference that every classic panel, target and variable carries.
func Datasource() *common.DataSourceRef {
	return &common.DataSourceRef{Type: model.Ptr(PluginPrometheus), Uid: model.Ptr(DatasourceName)}
}

// QueryOf translates a target. Which format it asks for depends on what draws it.
func QueryOf(t model.Target, v model.Visual) prometheus.Dataquery {
	q := prometheus.Dataquery{
		RefId: model.Ptr(t.Ref), Expr: t.Expr, EditorMode: model.Ptr(prometheus.QueryEditorModeCode),
		Instant: model.Ptr(t.Instant), Range: model.Ptr(!t.Instant), Format: model.Ptr(prometheus.PromQueryFormatTimeSeries),
	}
	if t.Legend != "" {
		q.LegendFormat = model.Ptr(t.Legend)
	}
	if t.Exemplars {
		q.Exemplar = model.Ptr(true)
	}
	switch v.(type) {
	case model.Table:
		q.Format = model.Ptr(prometheus.PromQueryFormatTable)
	case model.Heatmap:
		q.Format = model.Ptr(prometheus.PromQueryFormatHeatmap)
	}
	return q
}

// Step is one threshold as both schemas write it.
type Step struct {
	Value *float64 `json:"value"`
	Color string   `json:"color"`
}

// ThresholdSteps translates thresholds.
func ThresholdSteps(ts []model.Threshold) []Step {
	out := make([]Step, len(ts))
	for i, t := range ts {
		out[i] = Step{Value: t.From, Color: string(t.Color)}
	}
	return out
}

// DataLink is a link of a field. The SDK types it as a dashboard link in one schema, eight needless fields and an empty
// type included, and as any in the other.
type DataLink struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}

// LinkOf translates a data link.
func LinkOf(l model.DataLink) DataLink { return DataLink{Title: l.Title, URL: Address(l)} }

// Address writes the address of a dashboard that carries variables as they are, sets others from columns of the row
// clicked, and keeps the time range.
func Address(l model.DataLink) string {
	var parts []string
	for _, v := range l.Variables {
		parts = append(parts, "${"+v+":queryparam}")
	}
	names := make([]string, 0, len(l.Set))
	for name := range l.Set {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("var-%s=${__data.fields[%q]:percentencode}", url.QueryEscape(name), l.Set[name]))
	}
	return "/d/" + l.UID + "?" + strings.Join(append(parts, "${__url_time_range}"), "&")
}

// LinkAddress writes the address of a link at the top of a dashboard. Grafana adds the time range itself. Only the
// variables named are carried: "include variables" would also carry those that mean something else on the target.
func LinkAddress(l model.Link) string {
	parts := []string{"${" + model.DatasourceVariable + ":queryparam}"}
	for _, v := range l.Variables {
		parts = append(parts, "${"+v+":queryparam}")
	}
	return "/d/" + l.UID + "?" + strings.Join(parts, "&")
}

// Duration writes a duration as Grafana does: 5s, 15m, 1h.
func Duration(d time.Duration) string {
	for _, u := range []struct {
		size time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d >= u.size && d%u.size == 0 {
			return fmt.Sprintf("%d%s", d/u.size, u.name)
		}
	}
	return fmt.Sprintf("%dms", d.Milliseconds())
}

// RefreshIntervals are the choices of the refresh picker.
func RefreshIntervals() []string { return []string{"5s", "10s", "30s", "1m", "5m", "15m"} }
