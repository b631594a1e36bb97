package peers

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"

	"github.com/klauspost/compress/snappy"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
	writev2 "github.com/prometheus/prometheus/prompb/io/prometheus/write/v2"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/tailgate-otel/tailgate/internal/testkit/promserver"
)

// writeLane posts remote write requests of a version to a server, as another Prometheus does.
func writeLane(message string, open func(*testing.T) promserver.API) func(*testing.T) lane {
	return func(t *testing.T) lane {
		t.Helper()
		api, lost := open(t), 0.0
		return lane{
			api: api,
			send: func(md pmetric.Metrics) {
				series := gauges(md)
				if written := remoteWrite(t, api, message, series); written < len(series) {
					lost += float64(len(series) - written)
				}
			},
			reported: func() float64 { return lost },
		}
	}
}

func openStock(t *testing.T) promserver.API {
	t.Helper()
	return promserver.Start(t, promserver.Settings{Flags: stockFlags}).API
}

// openOurs is our store alone: what it receives comes in through its own listener.
func openOurs(t *testing.T) promserver.API {
	t.Helper()
	s, ours := store(t, "written", t.TempDir(), nil, section{"out_of_order_time_window": "0s"})
	start(t, "", s)
	return ours
}

// written is one series with one sample.
type written struct {
	labels labels.Labels
	t      int64
	v      float64
}

// gauges are the points of gauges, as remote write has them.
func gauges(md pmetric.Metrics) []written {
	var out []written
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				for _, p := range m.Gauge().DataPoints().All() {
					series, _ := p.Attributes().Get("series")
					out = append(out, written{
						labels.FromStrings("__name__", m.Name(), "job", "fault", "series", series.AsString()),
						p.Timestamp().AsTime().UnixMilli(), float64(p.IntValue()),
					})
				}
			}
		}
	}
	return out
}

// remoteWrite sends the samples and returns how many the server says it has written: by version 2's header, or, in
// version 1, all or none.
func remoteWrite(t *testing.T, api promserver.API, message string, series []written) int {
	t.Helper()
	encode, version := encode1, "0.1.0"
	if message == remoteWrite2 {
		encode, version = encode2, "2.0.0"
	}
	body, err := encode(series)
	if err != nil {
		t.Fatal(err)
	}
	answer := api.Send(t, "/api/v1/write", http.Header{
		"Content-Type":                      {"application/x-protobuf;proto=" + message},
		"Content-Encoding":                  {"snappy"},
		"X-Prometheus-Remote-Write-Version": {version},
	}, snappy.Encode(nil, body))
	if text := answer.Header.Get("X-Prometheus-Remote-Write-Samples-Written"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if answer.Status/100 == 2 {
		return len(series)
	}
	return 0
}

func encode1(series []written) ([]byte, error) {
	var req prompb.WriteRequest
	for _, s := range series {
		req.Timeseries = append(req.Timeseries, prompb.TimeSeries{
			Labels: prompb.FromLabels(s.labels, nil), Samples: []prompb.Sample{{Timestamp: s.t, Value: s.v}},
		})
	}
	body, err := req.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode a write request: %w", err)
	}
	return body, nil
}

func encode2(series []written) ([]byte, error) {
	symbols := writev2.NewSymbolTable()
	var req writev2.Request
	for _, s := range series {
		req.Timeseries = append(req.Timeseries, writev2.TimeSeries{
			LabelsRefs: symbols.SymbolizeLabels(s.labels, nil), Samples: []writev2.Sample{{Timestamp: s.t, Value: s.v}},
		})
	}
	req.Symbols = symbols.Symbols()
	body, err := req.Marshal()
	if err != nil {
		return nil, fmt.Errorf("encode a write request 2.0: %w", err)
	}
	return body, nil
}
