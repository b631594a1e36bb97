// Command telemetrydoc writes the reference page of the telemetry contract: telemetrydoc docs/telemetry.md
package main

import (
	"bytes"
	"fmt"
	"os"

	"github.com/tailgate-otel/tailgate/telemetry/refdoc"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: telemetrydoc FILE")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "telemetrydoc:", err)
		os.Exit(1)
	}
}

func write(path string) error {
	var page bytes.Buffer
	if err := refdoc.Write(&page); err != nil {
		return err
	}
	return os.WriteFile(path, page.Bytes(), 0o644)
}
