package ways

import (
	"context"
	"fmt"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/exporter/prometheusremotewriteexporter"
	"go.opentelemetry.io/collector/exporter/otlphttpexporter"
	"go.opentelemetry.io/collector/featuregate"

	"github.com/tailgate-otel/tailgate/test/benchstore/internal/payload"
)

// Messages of remote write, as configuration names them.
const (
	message1 = "prometheus.WriteRequest"
	message2 = "io.prometheus.write.v2.Request"
)

// patience is the timeout of every request: the defaults of 5 s cut off large exports on a busy machine, and a request
// that is sent twice is work that nobody asked for.
const patience = "2m"

// nhcb configures a server that makes one native histogram of each explicit one.
func nhcb(o Options) string {
	if o.Kind == payload.NHCB {
		return "otlp: {convert_histograms_to_nhcb: true}\n"
	}
	return ""
}

// otlpHTTP is the collector's exporter before a stock server.
func otlpHTTP(compression string) func(Options) (*Running, error) {
	return func(o Options) (*Running, error) {
		r, err := beside(o, nhcb(o))
		if err != nil {
			return nil, err
		}
		if err := r.startExporter(otlphttpexporter.NewFactory(), keys{
			"metrics_endpoint": "http://" + r.Server.Addr + "/api/v1/otlp/v1/metrics",
			"compression":      compression, "timeout": patience,
			"sending_queue": keys{"enabled": false}, "retry_on_failure": keys{"enabled": false},
		}, nil); err != nil {
			return r.failed(err)
		}
		return r, nil
	}
}

// gateOfVersion2 is alpha in contrib.
const gateOfVersion2 = "exporter.prometheusremotewritexporter.enableSendingRW2"

// contribRemoteWrite is contrib's exporter before a stock server.
func contribRemoteWrite(message string) func(Options) (*Running, error) {
	return func(o Options) (*Running, error) {
		if err := featuregate.GlobalRegistry().Set(gateOfVersion2, message == message2); err != nil {
			return nil, fmt.Errorf("feature gate of remote write 2: %w", err)
		}
		r, err := beside(o, "")
		if err != nil {
			return nil, err
		}
		if err := r.startExporter(prometheusremotewriteexporter.NewFactory(), keys{
			"http":    keys{"endpoint": "http://" + r.Server.Addr + "/api/v1/write", "timeout": patience},
			"timeout": patience, "protobuf_message": message,
			"remote_write_queue": keys{"enabled": false}, "retry_on_failure": keys{"enabled": false},
			"disable_scope_info": true, "convert_explicit_histograms_to_nhcb": o.Kind == payload.NHCB,
		}, nil); err != nil {
			return r.failed(err)
		}
		return r, nil
	}
}

// ownRemoteWrite is our exporter before our store in mode agent, which sends to a stock server and keeps nothing.
func ownRemoteWrite(message string) func(Options) (*Running, error) {
	return func(o Options) (*Running, error) {
		r, err := beside(o, "")
		if err != nil {
			return nil, err
		}
		if err := r.startStore(o, keys{
			"mode": "agent",
			"remote_write": []any{keys{
				"url": "http://" + r.Server.Addr + "/api/v1/write", "remote_timeout": patience, "protobuf_message": message,
				"send_exemplars": true, "send_native_histograms": true,
				// Half-full requests go at once, so that the end of a measurement is not spent waiting.
				"queue_config": keys{"batch_send_deadline": "100ms"},
			}},
		}); err != nil {
			return r.failed(err)
		}
		r.flush = r.sent
		return r, nil
	}
}

// lookEvery is how often the queue is looked at. A look costs about 2 ms of CPU on our side. It is longer than the deadline
// of half-full requests, which are not in what the queue calls pending.
const lookEvery = 250 * time.Millisecond

// sent waits until nothing waits for the server, and nothing was sent between two looks.
func (r *Running) sent(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	const prefix = "prometheus_remote_storage_"
	last := -1.0
	for {
		c, err := r.own.Counters(prefix+"samples_pending", prefix+"histograms_pending", prefix+"exemplars_pending",
			prefix+"samples_total", prefix+"histograms_total", prefix+"exemplars_total")
		if err != nil {
			return err
		}
		waiting, sent := c[0]+c[1]+c[2], c[3]+c[4]+c[5]
		if waiting == 0 && sent == last {
			return nil
		}
		last = sent
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%.0f samples, histograms and exemplars still wait for the server: %w", waiting, ctx.Err())
		}
	}
}
