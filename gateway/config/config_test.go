package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/config"
	"github.com/tailgate-otel/tailgate/gateway/route"
)

// TestBadFiles compares everything that is reported about a bad file with the "# want: " lines at its end.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad_*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(string(data)) {
				if text, ok := strings.CutPrefix(line, "# want: "); ok {
					want = append(want, strings.TrimSpace(text))
				}
			}
			_, err = config.Parse(filepath.Base(file), data)
			if err == nil {
				t.Fatal("no error")
			}
			if got := err.Error(); got != strings.Join(want, "\n") {
				t.Errorf("got:\n%s\n\nwant:\n%s", got, strings.Join(want, "\n"))
			}
		})
	}
}

func TestGoodFile(t *testing.T) {
	c, err := config.Load("testdata/good_full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	if u := c.Upstreams["b"]; u.Attempts != 2 || u.Cooldown != time.Second || u.Balance != config.RoundRobin || u.Protocol != config.H2C {
		t.Errorf("defaults of upstream b: %+v", u)
	}
	if got := c.Routes[0].Match.Headers[0].Name; got != "X-Canary" {
		t.Errorf("header name %q is not canonical", got)
	}
	if *c.Routes[0].MaxBody != 1<<30 || *c.Routes[1].Timeout != 0 || c.Limits.MaxHeader != 8<<10 {
		t.Errorf("sizes or durations misread: %+v", c)
	}
	everyFieldSet(t, "", reflect.ValueOf(*c))
}

// everyFieldSet keeps the good file complete: a new key has to be added there. Zero is what the file means in a few places.
func everyFieldSet(t *testing.T, path string, v reflect.Value) {
	meantZero := []string{".Telemetry.Endpoint", ".Limits.MaxBody", ".Timeouts.UpstreamHeader", ".Timeouts.Request"}
	for i := range v.NumField() {
		name, f := path+"."+v.Type().Field(i).Name, v.Field(i)
		if f.Kind() == reflect.Struct {
			everyFieldSet(t, name, f)
			continue
		}
		zero := false
		for _, m := range meantZero {
			zero = zero || m == name
		}
		if f.IsZero() && !zero {
			t.Errorf("testdata/good_full.yaml does not set %s", name)
		}
	}
}

// TestShopConfiguration loads the file that make run uses and looks at every route of the shop.
func TestShopConfiguration(t *testing.T) {
	c, err := config.Load("../../config/gateway.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := c.Rules()
	if err != nil {
		t.Fatal(err)
	}
	table, err := route.Build(rules)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ method, path, template, endpoint string }{
		{"GET", "/", "/", "http://127.0.0.1:9101"},
		{"GET", "/shop/", "/shop/{rest...}", "http://127.0.0.1:9101"},
		{"GET", "/shop/cart/view", "/shop/{rest...}", "http://127.0.0.1:9101"},
		{"GET", "/api/catalog/products", "/api/catalog/products", "http://127.0.0.1:9102"},
		{"GET", "/api/catalog/products/7", "/api/catalog/products/{id}", "http://127.0.0.1:9102"},
		{"DELETE", "/api/cart/ada", "/api/cart/{user}", "http://127.0.0.1:9103"},
		{"POST", "/api/cart/ada/items", "/api/cart/{user}/items", "http://127.0.0.1:9103"},
		{"POST", "/api/checkout", "/api/checkout", "http://127.0.0.1:9104"},
		{"POST", "/api/payment", "/api/payment", "http://127.0.0.1:9105"},
		{"GET", "/api/checkout", "", ""},
		{"GET", "/api", "", ""},
	} {
		i, err := table.Match(&route.Request{Host: "127.0.0.1:8080", Path: tc.path, Method: tc.method})
		if err != nil {
			t.Error(err)
		}
		template, endpoint := "", ""
		if i != route.None {
			template, endpoint = table.Rule(i).Paths[0].Template(), c.Upstreams[c.Routes[i].Upstream].Endpoints[0]
		}
		if template != tc.template || endpoint != tc.endpoint {
			t.Errorf("%s %s: route %q at %q, want %q at %q", tc.method, tc.path, template, endpoint, tc.template, tc.endpoint)
		}
	}
}

func TestLoadNamesTheMissingFile(t *testing.T) {
	_, err := config.Load("testdata/nowhere.yaml")
	if err == nil || !strings.Contains(err.Error(), "testdata/nowhere.yaml: no such file") {
		t.Errorf("got %v", err)
	}
}

func TestRestartKeys(t *testing.T) {
	a, b := config.Default(), config.Default()
	b.Listen, b.Limits.MaxHeader, b.Limits.MaxBody, b.Telemetry.AccessLogLevel = ":1", 1, 1, 4
	if got := config.RestartKeys(a, b); !reflect.DeepEqual(got, []string{"listen", "limits.max_header"}) {
		t.Errorf("got %v", got)
	}
}
