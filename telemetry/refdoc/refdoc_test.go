package refdoc_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/tailgate-otel/tailgate/telemetry/refdoc"
)

func TestPageIsUpToDate(t *testing.T) {
	var want bytes.Buffer
	if err := refdoc.Write(&want); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../docs/telemetry.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("docs/telemetry.md is stale; run make generate")
	}
}
