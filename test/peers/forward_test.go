package peers

import (
	"fmt"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/internal/testkit/promserver"
)

// TestForwardedIsTheSame sends every type through our remote_write into a stock server, in both versions of the protocol
// and both modes of the store, and demands all of it there, exemplars too: they travel with their samples.
func TestForwardedIsTheSame(t *testing.T) {
	end := time.Now().Truncate(time.Second)
	reference := stockOTLP(t, "{}").API
	for _, md := range payload(8, end) {
		mustExport(t, reference, stockOTLPPath, md)
	}
	from := end.Add(-time.Hour)
	want, wantExemplars := reference.Read(t, from, end), exemplars(t, reference, end)
	for _, mode := range []string{"server", "agent"} {
		for _, message := range []string{remoteWrite1, remoteWrite2} {
			t.Run(mode+" "+message, func(t *testing.T) {
				t.Parallel()
				receiver := stockOTLP(t, "{}").API
				s, _ := store(t, "forward", t.TempDir(), nil, section{
					"mode": mode,
					"remote_write": []section{{
						"url": string(receiver) + "/api/v1/write", "protobuf_message": message, "send_native_histograms": true, "send_exemplars": true,
					}},
				})
				c := start(t, "", s)
				for _, md := range payload(8, end) {
					mustExport(t, c.otlp, otlpPath, md)
				}
				promserver.Eventually(t, settleTime, func() error {
					if n := receiver.Read(t, from, end).Samples(); n < want.Samples() {
						return fmt.Errorf("%d of %d samples arrived", n, want.Samples())
					}
					return nil
				})
				compareDumps(t, "samples", receiver.Read(t, from, end), want, known(t, "samples"))
				where := "exemplars by " + message
				compareDumps(t, where, exemplars(t, receiver, end), wantExemplars, known(t, where))
			})
		}
	}
}
