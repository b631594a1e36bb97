package shop_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tailgate-otel/tailgate/demo/internal/otlptest"
	"github.com/tailgate-otel/tailgate/demo/shop"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCustomersSeeWhatTheyShould(t *testing.T) {
	w := open(t, "")
	w.fill("ann", "boots")
	w.fill("rich", "kayak")
	for _, tc := range []struct {
		name, method, path, body string
		status                   int
		contains                 string
	}{
		{"home", "GET", "/", "", 200, "Trail tent"},
		{"product", "GET", "/shop/product/boots", "", 200, "189.00 €"},
		{"discontinued", "GET", "/shop/product/" + shop.Discontinued, "", 404, "there is no such product"},
		{"no page", "GET", "/shop/nowhere", "", 404, ""},
		{"full cart", "GET", "/shop/cart/ann", "", 200, "378.00 €"},
		{"user text is escaped", "GET", "/shop/cart/%3Cscript%3E", "", 200, "/shop/cart/%3cscript%3e"},
		{"quantity", "POST", "/shop/cart/ann/items", "product=boots&quantity=many", 400, "quantity must be a number"},
		{"too many", "POST", "/shop/cart/ann/items", "product=boots&quantity=100", 400, "between 1 and 99"},
		{"no such product", "POST", "/shop/cart/ann/items", "product=x&quantity=1", 404, "there is no such product"},
		{"buy", "POST", "/shop/checkout/ann", "method=card", 200, "Thank you!"},
		{"the cart is empty afterwards", "POST", "/shop/checkout/ann", "method=card", 409, "the cart is empty"},
		{"declined", "POST", "/shop/checkout/rich", "method=card", 402, "the bank declines"},
		{"way to pay", "POST", "/shop/checkout/rich", "method=barter", 400, "method one of card"},
		{"catalog API", "GET", "/api/catalog/products?category=camp", "", 200, "gas-stove"},
		{"cart API", "DELETE", "/api/cart/rich", "", 204, ""},
		{"not JSON", "POST", "/api/checkout", "user=ann", 400, "the body must be JSON"},
		{"unknown field", "POST", "/api/payment", `{"order":"o","cent":1}`, 400, `unknown field`},
		{"nobody", "POST", "/api/checkout", `{}`, 400, "user is missing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status, text := w.do(tc.method, tc.path, "", "application/x-www-form-urlencoded", tc.body)
			if status != tc.status || !strings.Contains(text, tc.contains) {
				t.Errorf("%d, want %d with %q in\n%s", status, tc.status, tc.contains, text)
			}
		})
	}
}

func TestACheckoutIsOneTraceThroughAllServices(t *testing.T) {
	w := open(t, "")
	w.fill("ann", "boots")
	if status, text := w.form("/shop/checkout/ann", "", "method=card"); status != 200 {
		t.Fatalf("checkout: %d %s", status, text)
	}
	w.close()

	spans := map[string]otlptest.Span{} // by id
	traces := map[string][]otlptest.Span{}
	for _, s := range w.sink.Spans() {
		spans[s.SpanID().String()] = s
		traces[s.TraceID().String()] = append(traces[s.TraceID().String()], s)
	}
	if len(traces) != 2 {
		t.Fatalf("%d traces for two requests", len(traces))
	}
	for id, trace := range traces {
		roots := 0
		for _, s := range trace {
			if s.ParentSpanID().IsEmpty() {
				roots++
			} else if _, ok := spans[s.ParentSpanID().String()]; !ok {
				t.Errorf("trace %s: %s of %s is an orphan", id, s.Name(), s.Service)
			}
		}
		if roots != 1 {
			t.Errorf("trace %s has %d roots", id, roots)
		}
	}
	byName := map[string]otlptest.Span{}
	for _, s := range spans {
		byName[s.Service+": "+s.Name()] = s
	}
	checkout := byName["storefront: POST /shop/checkout/{user}"].TraceID()
	for _, name := range []string{
		"checkout: POST /api/checkout", "checkout: place order", "cart: GET /api/cart/{user}",
		"payment: POST /api/payment", "payment: authorise payment", "cart: DELETE /api/cart/{user}", "storefront: render order",
	} {
		s, ok := byName[name]
		if !ok || s.TraceID() != checkout {
			t.Errorf("the trace of the checkout lacks %q", name)
		}
	}
	placed := byName["checkout: place order"]
	if placed.Attr("order.amount") != "378" || !strings.HasPrefix(placed.Attr("order.id"), "o-") || placed.Attr("order.outcome") != "placed" {
		t.Errorf("attributes of the order: %v", placed.Attributes().AsRaw())
	}
	if route := byName["cart: GET /api/cart/{user}"].Attr("http.route"); route != "/api/cart/{user}" {
		t.Errorf("http.route is %q", route)
	}
}

func TestMetricsAndLogs(t *testing.T) {
	w := open(t, "")
	w.fill("ann", "boots")
	w.fill("bob", "map")
	w.form("/shop/checkout/ann", "", "method=card")
	w.form("/shop/checkout/bob", "payment=error", "method=card")
	w.close()
	counts := map[string]int64{}
	m, ok := w.sink.Metric("checkout", "shop.orders")
	if !ok {
		t.Fatal("no shop.orders")
	}
	for _, p := range m.Sum().DataPoints().All() {
		v, _ := p.Attributes().Get("outcome")
		counts[v.AsString()] = p.IntValue()
	}
	if counts["placed"] != 1 || counts["failed"] != 1 || len(counts) != 2 {
		t.Errorf("orders by outcome: %v", counts)
	}
	if m, ok := w.sink.Metric("cart", "shop.carts"); !ok || m.Gauge().DataPoints().At(0).IntValue() != 1 {
		t.Error("shop.carts does not show bob's cart alone")
	}
	if _, ok := w.sink.Metric("storefront", "http.server.request.duration"); !ok {
		t.Error("no http.server.request.duration")
	}
	traces := map[string]bool{}
	for _, s := range w.sink.Spans() {
		traces[s.TraceID().String()] = true
	}
	var placed, failed int
	for _, l := range w.sink.Logs() {
		switch l.Body().AsString() {
		case "order placed":
			placed++
		case "failing on purpose":
			failed++
		default:
			continue
		}
		if !traces[l.TraceID().String()] {
			t.Errorf("record %q of %s has no trace of ours: %s", l.Body().AsString(), l.Service, l.TraceID())
		}
	}
	if placed != 1 || failed != 1 {
		t.Errorf("%d orders and %d faults in the log", placed, failed)
	}
	if text := w.log.String(); !strings.Contains(text, "service=payment") || !strings.Contains(text, "trace_id=") || strings.Contains(text, "level=ERROR") {
		t.Errorf("log is\n%s", text)
	}
}

func TestKnownFaultsHitTheirServiceAlone(t *testing.T) {
	// The odds are against everybody; requests with directives are exempt from them.
	w := open(t, "rules: [{service: checkout, error: {ratio: 1}}]")
	for _, tc := range []struct {
		directives string
		status     int
	}{
		{"none", 200},
		{"catalog=error", 200}, // not on the way of a checkout
		{"checkout=error", 502},
		{"payment=error:500", 502},
		{"storefront=error:503", 503},
		{"payment=error:402", 402},
		{"payment=timeout", 504},
		{"cart=slow:1ms;payment=slow:50ms", 200},
		{"paymnt=error", 400},
		{"", 502}, // the odds
	} {
		user := "u" + url.PathEscape(strings.Trim(tc.directives, "=:;"))
		w.fill(user, "map")
		begun := time.Now()
		status, text := w.form("/shop/checkout/"+user, tc.directives, "method=card")
		if status != tc.status {
			t.Errorf("%q: %d, want %d: %s", tc.directives, status, tc.status, text)
		}
		if strings.Contains(tc.directives, "slow:50ms") && time.Since(begun) < 51*time.Millisecond {
			t.Errorf("%q took only %s", tc.directives, time.Since(begun))
		}
	}
	if _, text := w.get("/", "paymnt=error"); !strings.Contains(text, `did you mean \"payment\"?`) {
		t.Errorf("a wrong directive is answered with %s", text)
	}
	w.close()
	var errors int
	for _, s := range w.sink.Spans() {
		if s.Service == "payment" && s.Kind() == 2 && s.Attr("http.response.status_code") == "500" {
			errors++
			if s.Status().Code() != 2 {
				t.Error("the span of a failed request is not an error")
			}
		}
	}
	if errors != 1 {
		t.Errorf("%d payments answered 500, want 1", errors)
	}
}

func TestFaultsChangeAtRunTime(t *testing.T) {
	w := open(t, "")
	admin := "http://" + w.shop.Addr("admin")
	put := func(body string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, admin+"/faults", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := w.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(text)
	}
	if status, _ := w.get("/", ""); status != 200 {
		t.Fatalf("home: %d", status)
	}
	rules := "seed: 3\nrules:\n    - service: catalog\n      error:\n        ratio: 1\n        status: 500\n      latency:\n        - fixed: 1ms\n"
	if status, text := put(rules); status != http.StatusNoContent {
		t.Fatalf("put: %d %s", status, text)
	}
	if status, _ := w.get("/", ""); status != 502 {
		t.Errorf("home with a broken catalog: %d", status)
	}
	resp, err := w.client.Get(admin + "/faults")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if text, err := io.ReadAll(resp.Body); err != nil || string(text) != rules {
		t.Errorf("faults in force (%v):\n%s", err, text)
	}
	if status, text := put("rules: [{servce: catalog}]"); status != 400 || !strings.Contains(text, `did you mean \"service\"?`) {
		t.Errorf("a wrong key: %d %s", status, text)
	}
	if status, _ := put(strings.Repeat("#", 2<<20)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("two megabytes: %d", status)
	}
	if status, _ := w.get("/", ""); status != 502 {
		t.Error("a refused configuration changed the faults")
	}
}

func TestAdmin(t *testing.T) {
	w := open(t, "")
	for path, want := range map[string]string{"/ready": "ready", "/services": w.shop.Addr("payment")} {
		resp, err := w.client.Get("http://" + w.shop.Addr("admin") + path)
		if err != nil {
			t.Fatal(err)
		}
		var body map[string]string
		if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		found := false
		for _, v := range body {
			found = found || v == want
		}
		if !found {
			t.Errorf("%s answers %v, want %q in it", path, body, want)
		}
	}
}

func TestShutdownLetsRequestsFinish(t *testing.T) {
	w := open(t, "")
	w.fill("ann", "map")
	delaying := w.log.expect("delaying on purpose")
	answered := make(chan int, 1)
	go func() {
		status, _ := w.form("/shop/checkout/ann", "payment=slow:300ms", "method=card")
		answered <- status
	}()
	select {
	case <-delaying:
	case <-time.After(10 * time.Second):
		t.Fatal("the request never reached the payment")
	}
	w.close()
	if status := <-answered; status != 200 {
		t.Errorf("a request in flight at shutdown got %d", status)
	}
}

func TestStartRefuses(t *testing.T) {
	otlptest.Start(t)
	s := shop.Settings{Gateway: "localhost:8080", Log: io.Discard, Level: slog.LevelInfo}
	if _, err := shop.Start(t.Context(), s); err == nil || !strings.Contains(err.Error(), "must be a URL like http://127.0.0.1:8080") {
		t.Errorf("gateway without scheme: %v", err)
	}
	s.Gateway, s.Admin = "http://localhost:8080", "127.0.0.1:0"
	s.Listen = map[string]string{"storefront": "127.0.0.1:0", "checkout": "127.0.0.1:99999"}
	if _, err := shop.Start(t.Context(), s); err == nil || !strings.Contains(err.Error(), "choose another address with --listen-checkout") {
		t.Errorf("impossible address: %v", err)
	}
}
