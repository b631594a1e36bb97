package peers

import (
	"fmt"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/tailgate-otel/tailgate/internal/testkit/promserver"
)

// A lane is one way from an OTLP exporter into a Prometheus.
type lane struct {
	api  promserver.API // where what was sent can be read
	send func(pmetric.Metrics)
	// reported is how many points the way says it has lost.
	reported func() float64
}

// settleTime is how long a queue may take to get rid of a batch that the server answers at once.
const settleTime = 20 * time.Second

// stockOTLPLane posts to a stock server as an SDK does. It keeps no count: the SDK is told and drops the whole batch.
func stockOTLPLane(t *testing.T) lane {
	t.Helper()
	server := promserver.Start(t, promserver.Settings{Flags: stockFlags})
	lost := 0.0
	return lane{
		api: server.API,
		send: func(md pmetric.Metrics) {
			if export(t, server.API, stockOTLPPath, md).Status/100 != 2 {
				lost += float64(md.DataPointCount())
			}
		},
		reported: func() float64 { return lost },
	}
}

// stockFlags open every way into a stock server. The out-of-order window is the default: none.
var stockFlags = []string{"--web.enable-otlp-receiver", "--web.enable-remote-write-receiver", "--enable-feature=exemplar-storage"}

const (
	remoteWrite1 = "prometheus.WriteRequest"
	remoteWrite2 = "io.prometheus.write.v2.Request"
	// gateRemoteWrite2 lets contrib's exporter speak version 2.
	gateRemoteWrite2 = "+exporter.prometheusremotewritexporter.enableSendingRW2"
)

// contribLane is a collector with contrib's remote write exporter in front of a stock server.
func contribLane(message string) func(t *testing.T) lane {
	return func(t *testing.T) lane {
		server := promserver.Start(t, promserver.Settings{Flags: stockFlags})
		c := start(t, gateRemoteWrite2, contribSink(string(server.API), message))
		sent := 0.0
		return lane{
			api: server.API,
			send: func(md pmetric.Metrics) {
				mustExport(t, c.otlp, otlpPath, md)
				sent += float64(md.DataPointCount())
				promserver.Eventually(t, settleTime, func() error {
					if done := c.contribSent(t) + c.contribFailed(t); done < sent {
						return fmt.Errorf("the exporter is through with %v of %v points", done, sent)
					}
					return nil
				})
			},
			reported: func() float64 { return c.contribFailed(t) },
		}
	}
}

// contribSink is contrib's exporter with its defaults.
func contribSink(server, message string) sink {
	return sink{exporter: "prometheus_remote_write", config: section{
		"endpoint": server + "/api/v1/write", "protobuf_message": message,
	}}
}

func (c *collector) contribSent(t *testing.T) float64 {
	return c.own(t, "otelcol_exporter_sent_metric_points_total", `exporter="prometheus_remote_write"`)
}

func (c *collector) contribFailed(t *testing.T) float64 {
	return c.own(t, "otelcol_exporter_send_failed_metric_points_total", `exporter="prometheus_remote_write"`)
}

// ourLane is our store behind our exporter, with as small an out-of-order window as the stock server has.
func ourLane(t *testing.T) lane {
	t.Helper()
	s, ours := store(t, "fault", t.TempDir(), nil, section{"out_of_order_time_window": "0s"})
	c := start(t, "", s)
	return lane{
		api:  ours,
		send: func(md pmetric.Metrics) { mustExport(t, c.otlp, otlpPath, md) },
		reported: func() float64 {
			return c.own(t, "otelcol_exporter_prometheusstore_samples_refused_total")
		},
	}
}

// hundred is an export of a hundred gauges of one name.
func hundred(at time.Time) pmetric.Metrics {
	md := pmetric.NewMetrics()
	metrics := newScope(md)
	points := gauge(metrics, "batch")
	for i := range 100 {
		addPoint(points, at, i)
	}
	return md
}

// newScope adds a resource with one scope and returns its metrics.
func newScope(md pmetric.Metrics) pmetric.MetricSlice {
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", "fault")
	rm.Resource().Attributes().PutStr("service.instance.id", "fault-1")
	return rm.ScopeMetrics().AppendEmpty().Metrics()
}

func gauge(metrics pmetric.MetricSlice, name string) pmetric.NumberDataPointSlice {
	m := metrics.AppendEmpty()
	m.SetName(name)
	return m.SetEmptyGauge().DataPoints()
}

func addPoint(points pmetric.NumberDataPointSlice, at time.Time, series int) pmetric.NumberDataPoint {
	p := points.AppendEmpty()
	p.SetTimestamp(pcommon.NewTimestampFromTime(at))
	p.SetIntValue(int64(series))
	p.Attributes().PutInt("series", int64(series))
	return p
}

// stored counts the samples of a name that have a time.
func stored(t *testing.T, api promserver.API, name string, at time.Time) int {
	t.Helper()
	n := 0
	for series, lines := range api.Read(t, at, at) {
		if hasName(series, name) {
			n += len(lines)
		}
	}
	return n
}
