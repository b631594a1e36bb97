// Package promserver runs a stock Prometheus server and promtool for tests that hold ours against them, and asks either
// side the same questions.
//
// The binaries are named by the environment variables PROMETHEUS and PROMTOOL, which `make test-peers` sets. A test that
// needs one and has none fails: a comparison that is skipped in silence proves nothing.
//
// Every process listens on a free port of 127.0.0.1 and is gone when its test ends, also after a failure; what it wrote
// is shown when the test failed. The processes belong to internal/supervise; this package starts no goroutine of its own.
package promserver
