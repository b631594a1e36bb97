package upstream

import "github.com/tailgate-otel/tailgate/telemetry"

// The Go runtime metrics of OpenTelemetry's instrumentation, as the gateway and the demo record them. Names and units
// are those of the semantic conventions for Go.
var (
	GoMemoryUsed = metric(modRuntime, "go.memory.used", telemetry.UpDownCounter, "By",
		"Memory that the Go runtime uses.", telemetry.Attribute{Key: "go.memory.type", Brief: "What the memory is for.",
			Values: []string{"stack", "other"}})
	GoMemoryLimit = metric(modRuntime, "go.memory.limit", telemetry.UpDownCounter, "By",
		"GOMEMLIMIT; absent when none is set.")
	GoMemoryAllocated = metric(modRuntime, "go.memory.allocated", telemetry.Counter, "By",
		"Bytes allocated on the heap.")
	GoMemoryAllocations = metric(modRuntime, "go.memory.allocations", telemetry.Counter, "{allocation}",
		"Allocations on the heap.")
	GoMemoryGCGoal = metric(modRuntime, "go.memory.gc.goal", telemetry.UpDownCounter, "By",
		"Heap size at which the next garbage collection ends.")
	GoGoroutineCount = metric(modRuntime, "go.goroutine.count", telemetry.UpDownCounter, "{goroutine}",
		"Goroutines that live.")
	GoProcessorLimit = metric(modRuntime, "go.processor.limit", telemetry.UpDownCounter, "{thread}",
		"GOMAXPROCS.")
	GoConfigGOGC = metric(modRuntime, "go.config.gogc", telemetry.UpDownCounter, "%",
		"GOGC.")
)

// GoRuntime lists the metrics of a Go program's runtime.
func GoRuntime() []telemetry.Metric {
	return []telemetry.Metric{
		GoMemoryUsed, GoMemoryLimit, GoMemoryAllocated, GoMemoryAllocations, GoMemoryGCGoal, GoGoroutineCount,
		GoProcessorLimit, GoConfigGOGC,
	}
}
