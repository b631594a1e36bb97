package viewer_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

func TestPage(t *testing.T) {
	s := startSite(t, map[string][]byte{"everything": fixture(t, "everything"), "broken": fixture(t, "broken"), "many": manyPanels(t)})
	chromium := startChromium(t)
	for name, test := range map[string]func(*testing.T, *site, *browser){
		"draws every kind of panel":              drawsEverything,
		"says what is wrong":                     saysWhatIsWrong,
		"asks again when a variable changes":     asksAgain,
		"asks once per target":                   asksOnce,
		"zooms by dragging":                      zooms,
		"leads from an exemplar to its trace":    followsExemplar,
		"follows a link in a table":              followsTableLink,
		"shows one series alone":                 isolatesSeries,
		"fits a narrow window":                   fitsNarrowWindow,
		"draws twenty panels":                    drawsTwenty,
		"refreshes by itself while it is on top": refreshes,
	} {
		t.Run(name, func(t *testing.T) {
			s.take()
			test(t, s, openTab(t, chromium))
		})
	}
}

func drawsEverything(t *testing.T, s *site, b *browser) {
	b.open(t, s.url+"/ui/?d=everything&theme=dark")
	for title, state := range b.States() {
		if state != "ok" {
			t.Errorf("panel %q is %s", title, state)
		}
	}
	b.Screenshot(t, "dark")
	// "applied" is a mapped value, 6 of 6 endpoints were stored, the joined table is sorted by its transformation.
	texts := map[string]string{
		panelTitled("Configuration") + " .stat-value":                      "applied",
		panelTitled("Endpoints") + " tbody tr:nth-child(1)":                "cart\t6\t6",
		panelTitled("Endpoints") + " tbody tr:nth-child(2)":                "catalog\t8\t8",
		panelTitled("Endpoints") + " thead":                                "Upstream\tHealthy\tAll",
		panelTitled("About") + " strong":                                   "All",
		panelTitled("About") + " p:last-child":                             "<img src=x onerror=alert(1)> stays text.",
		panelTitled("Requests by route") + " .legend-table tbody tr td":    "/api/cart",
		panelTitled("Upstream duration, classic buckets") + " .heat-scale": "",
	}
	for selector, want := range texts {
		got := eval[string](t, b, fmt.Sprintf(`document.querySelector(%q).innerText`, selector))
		if want != "" && strings.TrimSpace(got) != want {
			t.Errorf("%s: %q, want %q", selector, got, want)
		}
	}
	if n := eval[int](t, b, fmt.Sprintf(`document.querySelectorAll(%q).length`, panelTitled("Duration")+" .exemplar")); n < 5 {
		t.Errorf("%d exemplars on the duration panel", n)
	}
	assertPainted(t, b)
	b.Run(t, chromedp.Click(`[aria-label="Switch to the light theme"]`))
	if theme := eval[string](t, b, `document.documentElement.dataset.theme`); theme != "light" {
		t.Errorf("the theme is %q after the switch", theme)
	}
	b.Screenshot(t, "light")
	quiet(t, b)
}

// assertPainted looks at the pixels: a chart whose canvas holds one colour drew nothing, whatever its state says.
func assertPainted(t *testing.T, b *browser) {
	t.Helper()
	const script = `Object.fromEntries([...document.querySelectorAll(".panel:has(canvas)")].map((panel) => {
		const canvas = panel.querySelector("canvas");
		const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
		return [panel.dataset.panelTitle, new Set(pixels).size];
	}))`
	charts := eval[map[string]int](t, b, script)
	if len(charts) < 7 {
		t.Errorf("only %d charts: %v", len(charts), charts)
	}
	for title, colours := range charts {
		if colours < 20 {
			t.Errorf("panel %q holds %d colours", title, colours)
		}
	}
}

func quiet(t *testing.T, b *browser) {
	t.Helper()
	for _, complaint := range b.Complaints() {
		t.Errorf("console: %s", complaint)
	}
}

func saysWhatIsWrong(t *testing.T, s *site, b *browser) {
	b.open(t, s.url+"/ui/?d=broken&theme=dark")
	for title, want := range map[string]struct{ state, text string }{
		"Empty":           {"nodata", "No data"},
		"Only NaN":        {"nodata", "No data (only NaN in this range)"},
		"Syntax error":    {"error", `query B: bad_data: invalid parameter "query": 1:41: parse error: unclosed left parenthesis`},
		"Unknown kind":    {"error", `panels of type "gauge" are not drawn here`},
		"Nothing is fine": {"ok", ""},
		"HTML":            {"error", "HTML text is not drawn here"},
	} {
		if state := b.States()[title]; state != want.state {
			t.Errorf("panel %q is %q, want %q", title, state, want.state)
		}
		text := eval[string](t, b, fmt.Sprintf(`document.querySelector(%q).innerText`, panelTitled(title)+" .panel-message"))
		if !strings.HasPrefix(strings.TrimSpace(text), want.text) {
			t.Errorf("panel %q says %q, want %q", title, text, want.text)
		}
	}
	if n := eval[int](t, b, `document.querySelectorAll(".panel-nodata").length`); n != 2 {
		t.Errorf("%d elements of class panel-nodata, want 2", n)
	}
	b.Screenshot(t, "broken")
	// The browser itself reports the store's 400; nothing else may be on the console.
	complaints := b.Complaints()
	if len(complaints) != 1 || !strings.Contains(complaints[0], "400") {
		t.Errorf("console: %q, want the one refused query", complaints)
	}
	b.open(t, s.url+"/ui/?d=nowhere")
	if text := eval[string](t, b, `document.querySelector(".page-message").innerText`); !strings.Contains(text, "404: no such dashboard") {
		t.Errorf("an unknown dashboard is explained by %q", text)
	}
}

func asksAgain(t *testing.T, s *site, b *browser) {
	b.open(t, s.url+"/ui/?d=everything&theme=dark")
	s.take()
	b.Run(t,
		chromedp.Click(`[aria-label="Route: All"]`),
		chromedp.SendKeys(".select-search", "checkout"),
		chromedp.Click(`.option[data-value="/api/checkout"]`),
	)
	b.WindowShot(t, "variable")
	b.Run(t, chromedp.KeyEvent(kb.Escape))
	b.settled(t, 2)
	found := 0
	for _, r := range s.take() {
		if strings.Contains(r.query, `http_route=~".*"`) {
			t.Errorf("asked for all routes after one was chosen: %s", r.query)
		}
		if strings.Contains(r.query, `http_route=~"/api/checkout"`) {
			found++
		}
	}
	if found < 10 {
		t.Errorf("%d queries name the chosen route", found)
	}
	address, err := url.Parse(eval[string](t, b, "location.href"))
	if err != nil || address.Query().Get("var-route") != "/api/checkout" {
		t.Errorf("the address is %v (%v)", address, err)
	}
	legend := eval[[]string](t, b, fmt.Sprintf(`[...document.querySelectorAll(%q)].map((e) => e.innerText)`, panelTitled("Requests by route")+" .legend-text"))
	if len(legend) != 1 || legend[0] != "/api/checkout" {
		t.Errorf("the legend shows %q", legend)
	}
	b.Run(t, chromedp.NavigateBack(), chromedp.WaitReady(`[aria-label="Route: All"]`))
	quiet(t, b)
}

func asksOnce(t *testing.T, s *site, b *browser) {
	b.open(t, s.url+"/ui/?d=everything&theme=dark")
	counts := map[apiRequest]int{}
	for _, r := range s.take() {
		counts[r]++
		if strings.Contains(r.query, "gateway_endpoint_state=\"healthy\"") && r.path == "/api/v1/query_range" {
			t.Error("the panel of a closed row was asked for")
		}
	}
	for r, n := range counts {
		// Panels may share a query; the fixture's percentile, heatmap and stat panels share two.
		if n > 2 {
			t.Errorf("%d requests for %s %s", n, r.path, r.query)
		}
	}
	if total := len(counts); total > 45 {
		t.Errorf("%d different requests for 29 targets, 2 exemplar queries and 3 variables", total)
	}
	if s.busiest > 6 {
		t.Errorf("%d requests were in flight at once, want at most 6", s.busiest)
	}
	b.Run(t, chromedp.Click(`.section[data-section="Endpoints"] .row-toggle`), chromedp.WaitReady(panelTitled("Healthy endpoints")+`[data-state="ok"]`))
	if opened := s.take(); len(opened) != 1 {
		t.Errorf("opening a row of one panel asked %d times: %v", len(opened), opened)
	}
	quiet(t, b)
}

func zooms(t *testing.T, s *site, b *browser) {
	b.open(t, s.url+"/ui/?d=everything&theme=dark&from=now-30m&to=now")
	type box struct{ X, Y, Width, Height float64 }
	over := eval[box](t, b, fmt.Sprintf(`document.querySelector(%q).getBoundingClientRect().toJSON()`, panelTitled("Requests by route")+" .u-over"))
	y := over.Y + over.Height/2
	from, to := over.X+over.Width*0.25, over.X+over.Width*0.75
	b.Run(t,
		chromedp.MouseEvent(input.MouseMoved, from, y),
		chromedp.MouseEvent(input.MousePressed, from, y, chromedp.ButtonLeft, chromedp.ClickCount(1)),
		chromedp.MouseEvent(input.MouseMoved, (from+to)/2, y, chromedp.ButtonLeft),
		chromedp.MouseEvent(input.MouseMoved, to, y, chromedp.ButtonLeft),
		chromedp.MouseEvent(input.MouseReleased, to, y, chromedp.ButtonLeft, chromedp.ClickCount(1)),
	)
	b.settled(t, 2)
	span := eval[float64](t, b, `(() => { const p = new URLSearchParams(location.search); return (p.get("to") - p.get("from")) / 60000 })()`)
	if span < 14 || span > 16 {
		t.Errorf("dragging over half of 30 minutes left %.1f minutes", span)
	}
	b.Run(t, chromedp.MouseEvent(input.MouseMoved, from, y))
	tooltip := eval[string](t, b, `document.querySelector(".tooltip")?.innerText ?? ""`)
	if !strings.Contains(tooltip, "/api/products/{id}") || !strings.Contains(tooltip, "req/s") {
		t.Errorf("the tooltip says %q", tooltip)
	}
	b.WindowShot(t, "tooltip")
	b.Run(t, chromedp.Click(`[aria-label="Zoom out"]`))
	b.settled(t, 3)
	quiet(t, b)
}

func followsExemplar(t *testing.T, s *site, b *browser) {
	b.open(t, s.url+"/ui/?d=everything&theme=dark")
	exemplar := panelTitled("Duration") + " .exemplar"
	b.Run(t, chromedp.ScrollIntoView(panelTitled("Duration")), chromedp.Focus(exemplar), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.Enter))
	id := eval[string](t, b, `document.activeElement.dataset.traceId`)
	if !strings.HasPrefix(id, "4bf92f3577b34da6a3ce929d0000") {
		t.Errorf("the exemplar's trace is %q", id)
	}
	href := eval[string](t, b, `document.querySelector(".exemplar-card a")?.href ?? ""`)
	if want := strings.ReplaceAll(traceURL, "{trace_id}", id); href != want {
		t.Errorf("the exemplar leads to %q, want %q", href, want)
	}
	b.WindowShot(t, "exemplar")
	quiet(t, b)
}

func followsTableLink(t *testing.T, s *site, b *browser) {
	b.open(t, s.url+"/ui/?d=everything&theme=dark&from=now-20m&to=now")
	b.Run(t, chromedp.Click(panelTitled("Routes")+` td a[title="Show this route alone"]`))
	b.settled(t, 2)
	address, err := url.Parse(eval[string](t, b, "location.href"))
	if err != nil {
		t.Fatal(err)
	}
	query := address.Query()
	if query.Get("d") != "everything" || !strings.HasPrefix(query.Get("var-route"), "/") || query.Get("from") != "now-20m" || query.Get("var-job") != "$__all" {
		t.Errorf("the link led to %s", address)
	}
	if rows := eval[int](t, b, fmt.Sprintf(`document.querySelectorAll(%q).length`, panelTitled("Routes")+" tbody tr")); rows != 1 {
		t.Errorf("%d routes in the table after one was chosen", rows)
	}
	quiet(t, b)
}

func isolatesSeries(t *testing.T, s *site, b *browser) {
	b.open(t, s.url+"/ui/?d=everything&theme=dark")
	legend := panelTitled("Requests by route") + " .legend-name"
	off := fmt.Sprintf(`document.querySelectorAll(%q).length`, panelTitled("Requests by route")+" tr.off")
	b.Run(t, chromedp.Click(legend))
	if n := eval[int](t, b, off); n != 3 {
		t.Errorf("%d of 4 series are off after a click on one", n)
	}
	b.Run(t, chromedp.Click(legend))
	if n := eval[int](t, b, off); n != 0 {
		t.Errorf("%d series are off after a second click", n)
	}
	quiet(t, b)
}

func fitsNarrowWindow(t *testing.T, s *site, b *browser) {
	b.Run(t, chromedp.EmulateViewport(420, 860))
	b.open(t, s.url+"/ui/?d=everything&theme=light")
	if width := eval[int](t, b, "document.documentElement.scrollWidth"); width > 420 {
		t.Errorf("the page is %d px wide in a window of 420", width)
	}
	b.Screenshot(t, "narrow")
	quiet(t, b)
}

func drawsTwenty(t *testing.T, s *site, b *browser) {
	b.open(t, s.url+"/ui/?d=many&theme=dark")
	states := b.States()
	for title, state := range states {
		if state != "ok" {
			t.Errorf("panel %q is %s", title, state)
		}
	}
	if len(states) != 20 {
		t.Errorf("%d panels, want 20", len(states))
	}
	ready := time.Duration(eval[float64](t, b, `performance.getEntriesByName("ready")[0].startTime`) * float64(time.Millisecond))
	// A change of theme draws all panels again from the data at hand: the page's own share, without the store's.
	redraw := eval[float64](t, b, `(() => { const start = performance.now(); document.querySelector('[aria-label^="Switch to"]').click(); return performance.now() - start })()`)
	t.Logf("20 panels drawn %s after the navigation began; drawn again in %.0f ms", ready.Round(time.Millisecond), redraw)
	// The goal is a second on a quiet machine; this bound only tells a page that hangs from one that draws.
	if ready > 15*time.Second {
		t.Errorf("20 panels took %s", ready)
	}
	quiet(t, b)
}

func refreshes(t *testing.T, s *site, b *browser) {
	b.open(t, s.url+"/ui/?d=everything&theme=dark&refresh=1s")
	s.take()
	b.settled(t, 2)
	for _, r := range s.take() {
		if strings.Contains(r.path, "/label/") {
			t.Errorf("a refresh asked for a variable's values again: %s", r.path)
		}
		if strings.Contains(r.query, "gateway_upstream_endpoints") && strings.HasSuffix(r.path, "/query") {
			t.Errorf("a refresh asked for a table far below the window: %s", r.query)
		}
	}
	quiet(t, b)
}

// manyPanels is a dashboard of twenty graphs of several series each.
func manyPanels(t *testing.T) []byte {
	t.Helper()
	panels := make([]map[string]any, 0, 20)
	for i := range 20 {
		panels = append(panels, map[string]any{
			"type": "timeseries", "id": i + 1, "title": fmt.Sprintf("Panel %d", i+1), "interval": "5s",
			"gridPos": map[string]int{"x": i % 4 * 6, "y": i / 4 * 7, "w": 6, "h": 7},
			"targets": []map[string]any{{
				"refId": "A", "legendFormat": "{{http_route}}",
				"expr": fmt.Sprintf("histogram_quantile(0.%d, sum by (http_route) (rate(http_server_request_duration_seconds[$__rate_interval])))", 50+2*i),
			}},
			"fieldConfig": map[string]any{"defaults": map[string]any{"unit": "s"}},
		})
	}
	body, err := json.Marshal(map[string]any{"uid": "many", "title": "Many panels", "time": map[string]string{"from": "now-30m", "to": "now"}, "panels": panels})
	if err != nil {
		t.Fatal(err)
	}
	return body
}
