package alertfeed

import (
	"fmt"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/component"
)

// Source is an extension that evaluates alerting rules.
type Source interface {
	// SubscribeAlerts is Feed.Subscribe. It may be called at any time, also before the extension has started.
	SubscribeAlerts(name string, capacity int) *Subscription
}

// Find returns the source that is configured under id. Its error names the sources that do exist.
func Find(host component.Host, id component.ID) (Source, error) {
	extensions := host.GetExtensions()
	ext, ok := extensions[id]
	if !ok {
		return nil, fmt.Errorf("store: there is no extension %q; %s", id, advice(extensions))
	}
	source, ok := ext.(Source)
	if !ok {
		return nil, fmt.Errorf("store: extension %q evaluates no alerting rules; %s", id, advice(extensions))
	}
	return source, nil
}

func advice(extensions map[component.ID]component.Component) string {
	var sources []string
	for id, ext := range extensions {
		if _, ok := ext.(Source); ok {
			sources = append(sources, fmt.Sprintf("%q", id))
		}
	}
	if len(sources) == 0 {
		return "configure one (type prometheusstore) under extensions and list it in service::extensions"
	}
	slices.Sort(sources)
	return "did you mean " + strings.Join(sources, " or ") + "?"
}
