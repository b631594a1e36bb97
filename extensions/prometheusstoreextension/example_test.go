package prometheusstoreextension_test

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension/extensiontest"

	"github.com/tailgate-otel/tailgate/extensions/prometheusstoreextension"
)

// A store can run in any Go program, a test for example: this is all that it needs.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	factory := prometheusstoreextension.NewFactory()
	cfg := factory.CreateDefaultConfig()
	conf := confmap.NewFromStringMap(map[string]any{
		"directory": dir + "/data",
		"http":      map[string]any{"transport": "unix", "endpoint": dir + "/api"},
	})
	if err := conf.Unmarshal(cfg); err != nil {
		panic(err)
	}
	ctx := context.Background()
	store, err := factory.Create(ctx, extensiontest.NewNopSettings(factory.Type()), cfg)
	if err != nil {
		panic(err)
	}
	if err := store.Start(ctx, host{}); err != nil {
		panic(err)
	}
	defer store.Shutdown(ctx)

	client := &http.Client{Transport: unixTransport(dir + "/api")}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://store/-/ready") //nolint:noctx // short
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}
