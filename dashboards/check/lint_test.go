package check_test

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tailgate-otel/tailgate/dashboards/check"
	"github.com/tailgate-otel/tailgate/telemetry"
)

// shop is the contract of the fixtures in testdata/good.
func shop() []telemetry.Metric {
	route := telemetry.Attribute{Key: "http.route", Brief: "b", Bound: "routes"}
	return []telemetry.Metric{
		{Name: "shop.orders", Kind: telemetry.Counter, Unit: "{order}", Attributes: []telemetry.Attribute{
			{Key: "status", Brief: "b", Values: []string{"open", "paid", "sent"}}, {Key: "code", Brief: "b", Min: 100, Max: 599}}},
		{Name: "shop.stock", Kind: telemetry.Gauge, Unit: "1"},
		{Name: "shop.time", Kind: telemetry.NativeHistogram, Unit: "s", Attributes: []telemetry.Attribute{route}},
		{Name: "shop.old", Kind: telemetry.Histogram, Unit: "ms", Attributes: []telemetry.Attribute{route}},
	}
}

func lint(t *testing.T, files fstest.MapFS) []check.Finding {
	t.Helper()
	dashboards, findings, err := check.Load(files)
	if err != nil {
		t.Fatal(err)
	}
	linted, err := check.Lint(dashboards, shop(), telemetry.DefaultNaming)
	if err != nil {
		t.Fatal(err)
	}
	return append(findings, linted...)
}

// goodFiles returns the fixtures, with old replaced by new in one of them.
func goodFiles(t *testing.T, file, old, replacement string) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	for _, name := range []string{"classic/shop.json", "classic/stock.json", "v2/stock.json"} {
		data, err := os.ReadFile("testdata/good/" + name)
		if err != nil {
			t.Fatal(err)
		}
		text := string(data)
		if name == file {
			if !strings.Contains(text, old) {
				t.Fatalf("%s does not contain %s", file, old)
			}
			text = strings.Replace(text, old, replacement, 1)
		}
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}

func TestGoodFixturesHaveNoFindings(t *testing.T) {
	for _, f := range lint(t, goodFiles(t, "", "", "")) {
		t.Error(f)
	}
}

const (
	shopFile  = "classic/shop.json"
	stockFile = "classic/stock.json"
	stockV2   = "v2/stock.json"
	orders    = `sum by (status) (rate(shop_orders_total{job=~\"$job\", status!=\"open\"}[$__rate_interval]))`
	p99       = `histogram_quantile(0.99, sum(rate(shop_time_seconds{http_route=~\"$route\"}[$__rate_interval])))`
	p50       = `histogram_quantile(0.5, sum by (le) (rate(shop_old_milliseconds_bucket[$__rate_interval])))`
	stock     = `sum(shop_stock_ratio{job=~\"$job\"})`
	minStock  = `min(shop_stock_ratio{job=~\"$job\"})`
)

// TestRules spoils the good fixtures in one place each and wants the rule, the panel and the words.
func TestRules(t *testing.T) {
	for name, c := range map[string]struct {
		file, old, new    string
		rule, panel, want string
	}{
		"no JSON":            {stockFile, `"uid"`, `uid`, "schema", "", "not a JSON object"},
		"other resource":     {stockV2, `grafana.app/v2"`, `grafana.app/v1"`, "schema", "", "want kind Dashboard"},
		"unknown field":      {stockFile, `"title": "Stock"`, `"titel": "x", "title": "Stock"`, "schema", "", "'titel' not allowed"},
		"unknown option":     {stockFile, `"graphMode": "area"`, `"graphMode": "pie"`, "schema", "In stock", "options.graphMode"},
		"unknown v2 field":   {stockV2, `"preload": false`, `"preload": "no"`, "schema", "", "spec.preload: got string, want boolean"},
		"panel type":         {stockFile, `"type": "stat"`, `"type": "gauge"`, "schema", "In stock", `panel type "gauge"`},
		"target field":       {shopFile, `"format": "table"`, `"formatt": "table"`, "schema", "Routes", "'formatt' not allowed"},
		"element not placed": {stockV2, `"name": "panel-1"`, `"name": "panel-2"`, "schema", "", "element panel-2, which does not exist"},
		"no uid":             {stockFile, `"uid": "stock",`, ``, "identity", "", "needs a uid"},
		"same uid":           {stockFile, `"uid": "stock"`, `"uid": "shop"`, "identity", "", "belongs to classic/shop.json"},
		"same id":            {shopFile, `"id": 3`, `"id": 2`, "panel-id", "Duration", "id 2 is not its own"},
		"overlap":            {shopFile, `"x": 12, "y": 1`, `"x": 11, "y": 1`, "grid", "Duration", `lies over panel "Orders"`},
		"over the edge":      {shopFile, `"x": 12, "y": 1, "w": 12`, `"x": 12, "y": 1, "w": 13`, "grid", "Duration", "12 to 25 do not fit"},
		"v2 over the edge":   {stockV2, `"width": 24`, `"width": 25`, "grid", "In stock", "0 to 25 do not fit"},
		"twins differ":       {stockV2, minStock, `max(shop_stock_ratio{job=~\"$job\"})`, "twins", "", "panel 1 differs"},
		"no title":           {shopFile, `"title": "Orders",`, ``, "title", "#2", "no title"},
		"no description":     {shopFile, `"description": "Slow: look at the traces.",`, ``, "description", "Duration", "no description"},
		"no query":           {stockFile, `"targets": [{"refId": "A", "expr": "` + minStock + `", "datasource": {"type": "prometheus", "uid": "${ds}"}}]`, `"targets": []`, "target", "In stock", "no query"},
		"no unit":            {stockFile, `"unit": "percentunit"`, `"decimals": 1`, "unit", "In stock", "has no unit"},
		"unknown unit":       {stockFile, `"unit": "percentunit"`, `"unit": "percentuni"`, "unit", "In stock", `unit "percentuni"`},
		"no interval":        {stockFile, `"interval": "5s",`, ``, "interval", "In stock", "want at least the export interval 5s"},
		"short interval":     {stockFile, `"interval": "5s"`, `"interval": "1s"`, "interval", "In stock", `minimum step is "1s"`},
		"no exemplars":       {shopFile, `"exemplar": true, `, ``, "exemplars", "Duration", "asks for no exemplars"},
		"fixed source":       {stockFile, `"uid": "${ds}"`, `"uid": "P1809F7CD0C75ACF3"`, "datasource", "In stock", "no data source variable"},
		"fixed window":       {shopFile, orders, `sum by (status) (rate(shop_orders_total{job=~\"$job\"}[5m]))`, "rate-interval", "Orders", "$__rate_interval"},
		"syntax":             {stockFile, minStock, `min(shop_stock_ratio{job=~\"$job\"}`, "promql", "In stock", "does not parse"},
		"unknown metric":     {stockFile, minStock, `min(shop_stok_ratio{job=~\"$job\"})`, "metric-unknown", "In stock", "did you mean shop_stock_ratio?"},
		"lost suffix":        {shopFile, `(rate(shop_orders_total`, `(rate(shop_orders`, "metric-unknown", "Orders", "lost its suffix; the counter is shop_orders_total"},
		"doubled suffix":     {shopFile, `(rate(shop_orders_total`, `(rate(shop_orders_total_total`, "metric-unknown", "Orders", "did you mean shop_orders_total?"},
		"classic of native":  {shopFile, `(rate(shop_time_seconds[`, `(rate(shop_time_seconds_count[`, "metric-unknown", "Routes", "shop_time_seconds is a native histogram and has no _count series"},
		"no metric":          {stockFile, minStock, `min({job=~\"$job\"})`, "metric-unknown", "In stock", "names no metric"},
		"unknown label":      {shopFile, `status!=\"open\"`, `state!=\"open\"`, "label-unknown", "Orders", "metric shop.orders has no label state; it has: code, status"},
		"label gone":         {shopFile, `sum by (status) (rate`, `sum by (http_route) (rate`, "label-unknown", "Orders", "by or without (http_route)"},
		"legend":             {shopFile, `{{status}}`, `{{code}}`, "label-unknown", "Orders", "legend shows label code"},
		"column":             {shopFile, `"http_route": "Route"`, `"route": "Route"`, "label-unknown", "Routes", "column for label route"},
		"replaced label":     {shopFile, stock, `label_replace(` + stock + `, \"a\", \"$1\", \"b\", \"(.*)\")`, "label-unknown", "Orders", "no label b to read"},
		"on label":           {shopFile, stock, `shop_stock_ratio{job=~\"$job\"} * on (status) sum(shop_stock_ratio)`, "label-unknown", "Orders", "on (status)"},
		"unknown value":      {shopFile, `status!=\"open\"`, `status!=\"opened\"`, "value-unknown", "Orders", "not one of open, paid, sent"},
		"unknown in list":    {shopFile, `status!=\"open\"`, `status=~\"paid|lost\"`, "value-unknown", "Orders", `"lost": not one of`},
		"nothing matches":    {shopFile, `status!=\"open\"`, `status=~\"x.*\"`, "value-unknown", "Orders", "no value of the contract matches"},
		"no number matches":  {shopFile, `status!=\"open\"`, `code=~\"7..\"`, "value-unknown", "Orders", "no number from 100 to 599"},
		"raw counter":        {shopFile, orders, `sum by (status) (shop_orders_total{job=~\"$job\"})`, "counter-raw", "Orders", "shows counter shop_orders_total as it is"},
		"max over counter":   {shopFile, orders, `sum by (status) (max_over_time(shop_orders_total{job=~\"$job\"}[$__interval]))`, "counter-raw", "Orders", "take its rate first"},
		"raw buckets":        {shopFile, p50, `histogram_quantile(0.5, sum by (le) (shop_old_milliseconds_bucket))`, "counter-raw", "Duration", "counts since the program started"},
		"rate of gauge":      {shopFile, stock, `sum(rate(shop_stock_ratio{job=~\"$job\"}[$__rate_interval]))`, "rate-of-gauge", "Orders", "rate(): a gauge"},
		"quantile of gauge":  {shopFile, p50, `histogram_quantile(0.5, sum(shop_stock_ratio))`, "histogram-kind", "Duration", "needs a histogram"},
		"le gone":            {shopFile, p50, `histogram_quantile(0.5, sum(rate(shop_old_milliseconds_bucket[$__rate_interval])))`, "histogram-kind", "Duration", "label le is gone"},
		"count of classic":   {shopFile, p50, `histogram_count(sum by (le) (rate(shop_old_milliseconds_bucket[$__rate_interval])))`, "histogram-kind", "Duration", "reads native histograms only"},
		"max of native":      {shopFile, p99, `histogram_quantile(0.99, max(rate(shop_time_seconds{http_route=~\"$route\"}[$__rate_interval])))`, "histogram-kind", "Duration", "max ignores native histograms"},
		"histogram as line":  {shopFile, p99, `sum(rate(shop_time_seconds{http_route=~\"$route\"}[$__rate_interval]))`, "histogram-kind", "Duration", "a timeseries panel and a query that yields histograms"},
		"sides differ":       {shopFile, orders, `sum by (status) (rate(shop_orders_total[$__rate_interval])) / sum(rate(shop_orders_total[$__rate_interval]))`, "never-match", "Orders", "never match"},
		"or adds always":     {shopFile, orders, `sum by (status) (rate(shop_orders_total[$__rate_interval])) or vector(0)`, "never-match", "Orders", "always added"},
		"variable twice":     {shopFile, `"name": "route"`, `"name": "job"`, "variable-twice", "", "job is defined twice"},
		"variable unused":    {shopFile, p99, `histogram_quantile(0.99, sum(rate(shop_time_seconds[$__rate_interval])))`, "variable-unused", "", "variable route is used nowhere"},
		"variable undefined": {stockFile, `job=~\"$job\"`, `job=~\"$jobs\"`, "variable-undefined", "In stock", "did you mean job?"},
		"braced undefined":   {stockFile, `job=~\"$job\"`, `job=~\"${cluster:regex}\"`, "variable-undefined", "In stock", "variable cluster is not defined"},
		"variable form":      {shopFile, `label_values(shop_orders_total, job)`, `query_result(shop_orders_total)`, "variable-query", "", "only label_values"},
		"variable metric":    {shopFile, `label_values(shop_orders_total, job)`, `label_values(shop_order_total, job)`, "metric-unknown", "", "did you mean shop_orders_total?"},
		"variable label":     {shopFile, `{job=~\"$job\"}, http_route)`, `{job=~\"$job\"}, status)`, "label-unknown", "", "variable route: no series"},
		"variable syntax":    {shopFile, `{job=~\"$job\"}, http_route)`, `{job=~}, http_route)`, "promql", "", "variable route"},
		"link target":        {shopFile, `/d/stock?`, `/d/stok?`, "link-target", "", "dashboard stok, which does not exist"},
		"link variable":      {shopFile, `&${job:queryparam}`, `&${route:queryparam}`, "link-variable", "", "sets variable route, which Stock (stock) does not have"},
		"link all variables": {shopFile, `"includeVars": false`, `"includeVars": true`, "link-variable", "", "sets variable route"},
		"data link variable": {shopFile, `var-route=`, `var-rout=`, "link-variable", "Routes", "sets variable rout"},
		"data link column":   {shopFile, `fields[\"Route\"]`, `fields[\"Path\"]`, "link-column", "Routes", `column "Path"`},
		"link title":         {shopFile, `"title": "This one"`, `"title": ""`, "link-title", "Routes", "no title"},
	} {
		findings := lint(t, goodFiles(t, c.file, c.old, c.new))
		found := false
		for _, f := range findings {
			found = found || f.Rule == c.rule && f.File == c.file && f.Panel == c.panel && strings.Contains(f.Message, c.want)
		}
		if !found {
			t.Errorf("%s: want %s at panel %q about %q, got:", name, c.rule, c.panel, c.want)
			for _, f := range findings {
				t.Error("  ", f)
			}
		}
	}
}

// TestSoundQueries holds that what is unusual but right is not reported.
func TestSoundQueries(t *testing.T) {
	for name, expr := range map[string]string{
		"difference of totals":       `sum(shop_orders_total{status=\"open\"}) - sum(shop_orders_total{status=\"sent\"} offset 1m)`,
		"zero of a total":            `sum(rate(shop_orders_total[$__rate_interval])) or 0 * sum(shop_orders_total)`,
		"or on nothing":              `sum by (status) (rate(shop_orders_total[$__rate_interval])) or on() label_replace(vector(0), \"status\", \"none\", \"\", \"\")`,
		"count of counter":           `count by (status) (shop_orders_total)`,
		"group left":                 `sum by (job, instance) (shop_stock_ratio) * on (job, instance) group_left (status) shop_stock_ratio`,
		"topk":                       `topk(3, sum by (status) (rate(shop_orders_total[$__rate_interval])))`,
		"without":                    `sum without (code, instance) (rate(shop_orders_total[$__rate_interval]))`,
		"subquery":                   `max_over_time(sum(rate(shop_orders_total[$__rate_interval]))[10m:])`,
		"scalar":                     `sum(shop_stock_ratio) / scalar(sum(shop_stock_ratio))`,
		"comparison":                 `sum(shop_stock_ratio) >= 0`,
		"resets":                     `sum(resets(shop_orders_total[$__range]))`,
		"native mean":                `histogram_avg(sum(rate(shop_time_seconds[$__rate_interval])))`,
		"classic mean":               `sum(rate(shop_old_milliseconds_sum[$__rate_interval])) / sum(rate(shop_old_milliseconds_count[$__rate_interval]))`,
		"value and class":            `sum(rate(shop_orders_total{status=\"paid\", code=~\"5..\"}[$__rate_interval]))`,
		"unary and parentheses":      `-(sum(shop_stock_ratio))`,
		"ignoring":                   `shop_stock_ratio / ignoring (instance) group_left () sum by (job) (shop_stock_ratio)`,
		"name in braces":             `sum({__name__=\"shop_stock_ratio\"})`,
		"fraction of a distribution": `histogram_fraction(0, 0.3, sum(rate(shop_time_seconds[$__rate_interval])))`,
	} {
		for _, f := range lint(t, goodFiles(t, shopFile, stock, expr)) {
			t.Errorf("%s: %s", name, f)
		}
	}
}

func TestLoadSaysWhatIsMissing(t *testing.T) {
	if _, _, err := check.Load(fstest.MapFS{"readme.md": {}}); err == nil || !strings.Contains(err.Error(), "no dashboards") {
		t.Errorf("an empty folder: %v", err)
	}
	flat := fstest.MapFS{"stock.json": goodFiles(t, "", "", "")[stockFile]}
	if all, findings, err := check.Load(flat); err != nil || len(findings) > 0 || len(all) != 1 || all[0].UID != "stock" {
		t.Errorf("a folder of dashboards: %v, %v, %v", all, findings, err)
	}
}
