// Package peers holds the embedded Prometheus against a stock one: the same data in, the same questions, the same answers,
// and the faults by which the stock ways lose data. It has no code but tests. They run the collector that `make build`
// leaves in dist/, and the stock programs that `make test-peers` builds and names.
//
// Where ours answers otherwise on purpose, the table in differences_test.go says where and why; a test fails on a
// difference that is not in the table, and on an entry that no difference needs any more.
package peers
