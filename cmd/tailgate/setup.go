package main

import (
	_ "github.com/prometheus/prometheus/discovery/kubernetes" // kubernetes_sd_configs of the store

	"github.com/tailgate-otel/tailgate/providers/fileprovider"
)

// The builder writes main.go without a hook, so what the distribution adds to it happens while package variables are
// initialised, after those of all components and before main: wrong keys in a file are reported with line and nearest
// valid key.
var _ = fileprovider.UseFactories(components)
