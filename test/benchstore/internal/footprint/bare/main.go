// Program bare is the collector of package core.
package main

import (
	"go.opentelemetry.io/collector/otelcol"

	"github.com/tailgate-otel/tailgate/test/benchstore/internal/footprint/core"
)

func main() { core.Main(func(*otelcol.Factories) {}) }
