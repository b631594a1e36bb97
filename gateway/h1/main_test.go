package h1_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain looks for goroutines of ours that outlive the tests; net/http's sleep for half a second before they end.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("net/http.(*conn).closeWriteAndWait"))
}
