package telemetry_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/tailgate-otel/tailgate/telemetry"
)

func TestContractIsValid(t *testing.T) {
	seen := map[string]string{}
	for _, m := range slices.Concat(telemetry.Gateway(), telemetry.Store(), telemetry.Sampling()) {
		if err := m.Validate(); err != nil {
			t.Error(err)
		}
		for _, series := range telemetry.DefaultNaming.Series(m) {
			if other, ok := seen[series]; ok {
				t.Errorf("%s and %s are both stored as %s", m.Name, other, series)
			}
			seen[series] = m.Name
		}
	}
}

func TestValidateReports(t *testing.T) {
	good := telemetry.HTTPServerRequestDuration
	for _, tc := range []struct {
		name string
		edit func(*telemetry.Metric)
		want string
	}{
		{"no name", func(m *telemetry.Metric) { m.Name = "" }, "needs a name"},
		{"no unit", func(m *telemetry.Metric) { m.Unit = "" }, "needs a unit"},
		{"total by hand", func(m *telemetry.Metric) { m.Name = "requests_total" }, "the translator adds the suffix"},
		{"kind", func(m *telemetry.Metric) { m.Kind = "meter" }, `unknown kind "meter"`},
		{"stability", func(m *telemetry.Metric) { m.Stability = "" }, "unknown stability"},
		{"unbounded", func(m *telemetry.Metric) {
			m.Attributes = []telemetry.Attribute{{Key: "url.path", Brief: "Path."}}
		}, "attribute url.path has no bound"},
		{"twice", func(m *telemetry.Metric) {
			m.Attributes = []telemetry.Attribute{telemetry.AttrHTTPRoute, telemetry.AttrHTTPRoute}
		}, "attribute http.route stands twice"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := good
			tc.edit(&m)
			if err := m.Validate(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestAllows(t *testing.T) {
	for _, tc := range []struct {
		attr  telemetry.Attribute
		value string
		ok    bool
	}{
		{telemetry.AttrHTTPRequestMethod, "GET", true},
		{telemetry.AttrHTTPRequestMethod, "get", false},
		{telemetry.AttrHTTPResponseStatusCode, "204", true},
		{telemetry.AttrHTTPResponseStatusCode, "600", false},
		{telemetry.AttrHTTPResponseStatusCode, "", false},
		{telemetry.AttrErrorType, "503", true},
		{telemetry.AttrErrorType, telemetry.ErrorTimeout, true},
		{telemetry.AttrErrorType, "dial tcp 10.0.0.1: connection refused", false},
		{telemetry.AttrHTTPRoute, "/api/{id}", true},
	} {
		if err := tc.attr.Allows(tc.value); (err == nil) != tc.ok {
			t.Errorf("%s=%q: got %v, want ok=%v", tc.attr.Key, tc.value, err, tc.ok)
		}
	}
}

func TestNaming(t *testing.T) {
	for _, tc := range []struct {
		strategy string
		m        telemetry.Metric
		metric   string
		label    string // of http.response.status_code
	}{
		{"UnderscoreEscapingWithSuffixes", telemetry.HTTPServerRequestDuration, "http_server_request_duration_seconds", "http_response_status_code"},
		{"UnderscoreEscapingWithSuffixes", telemetry.GatewayRequestsRejected, "gateway_requests_rejected_total", "http_response_status_code"},
		{"UnderscoreEscapingWithSuffixes", telemetry.GatewayConfigLastReloadSuccessful, "gateway_config_last_reload_successful", "http_response_status_code"},
		{"UnderscoreEscapingWithoutSuffixes", telemetry.GatewayRequestsRejected, "gateway_requests_rejected", "http_response_status_code"},
		{"NoUTF8EscapingWithSuffixes", telemetry.HTTPServerRequestDuration, "http.server.request.duration_seconds", "http.response.status_code"},
		{"NoTranslation", telemetry.HTTPServerRequestDuration, "http.server.request.duration", "http.response.status_code"},
	} {
		n, err := telemetry.NewNaming(tc.strategy)
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Metric(tc.m); got != tc.metric {
			t.Errorf("%s: %s is %s, want %s", tc.strategy, tc.m.Name, got, tc.metric)
		}
		if got := n.Label("http.response.status_code"); got != tc.label {
			t.Errorf("%s: label %s, want %s", tc.strategy, got, tc.label)
		}
	}
	if _, err := telemetry.NewNaming("snake_case"); err == nil || !strings.Contains(err.Error(), "snake_case") {
		t.Errorf("an unknown strategy gave %v", err)
	}
}
