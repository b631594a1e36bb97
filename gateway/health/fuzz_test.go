package health

import (
	"testing"

	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/proto"
)

// What parses must parse the same with the official types.
func FuzzParseHealth(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0})
	f.Add([]byte{0, 0, 0, 0, 2, 8, 1})
	f.Add([]byte{0, 0, 0, 0, 4, 8, 2, 8, 1})
	f.Add([]byte{1, 0, 0, 0, 2, 8, 1})
	f.Add([]byte{0, 0, 0, 0, 3, 8, 1})
	f.Add([]byte{0, 0, 0, 0, 7, 0x12, 1, 'x', 8, 1, 0x1b, 0x1c})
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := parseHealth(body)
		if err != nil {
			return
		}
		var want healthpb.HealthCheckResponse
		if err := proto.Unmarshal(body[5:], &want); err != nil {
			t.Skip("unknown fields are not looked into")
		}
		if int32(got) != int32(want.Status) {
			t.Fatalf("status %d, want %d", got, want.Status)
		}
	})
}
