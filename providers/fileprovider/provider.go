// Package fileprovider is the collector's configuration provider for the scheme "file". It retrieves what the core's
// provider retrieves and, before that, looks for keys and component types that do not exist: the collector's own
// message knows neither file nor line nor what was meant.
//
// The check reads the file a second time and holds nothing. It only ever adds a clearer message: whether a key is
// unknown is decided by decoding into the component's own configuration, as the collector does afterwards.
package fileprovider

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"go.opentelemetry.io/collector/confmap"
	core "go.opentelemetry.io/collector/confmap/provider/fileprovider"
	"go.opentelemetry.io/collector/otelcol"
)

// factories returns the components that this binary has. It is a package variable because the builder's generated main
// makes providers without an argument; UseFactories sets it once, before main runs.
var factories atomic.Pointer[func() (otelcol.Factories, error)]

// UseFactories tells the provider which components exist. Without it, the provider is the core's. It returns true so
// that a package-level variable can call it.
func UseFactories(f func() (otelcol.Factories, error)) bool {
	factories.Store(&f)
	return true
}

// NewFactory returns the factory of the provider.
func NewFactory() confmap.ProviderFactory {
	return confmap.NewProviderFactory(func(set confmap.ProviderSettings) confmap.Provider {
		return &provider{Provider: core.NewFactory().Create(set)}
	})
}

type provider struct {
	confmap.Provider
}

// Retrieve returns the content of the file, or an error that names every unknown key in it with its line.
func (p *provider) Retrieve(ctx context.Context, uri string, watcher confmap.WatcherFunc) (*confmap.Retrieved, error) {
	if err := check(strings.TrimPrefix(uri, p.Scheme()+":")); err != nil {
		return nil, err
	}
	return p.Provider.Retrieve(ctx, uri, watcher)
}

func check(path string) error {
	known := factories.Load()
	if known == nil {
		return nil
	}
	content, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil //nolint:nilerr // the core's provider reports it
	}
	f, err := (*known)()
	if err != nil {
		return fmt.Errorf("list the components of this collector: %w", err)
	}
	return checkKeys(path, content, f)
}
