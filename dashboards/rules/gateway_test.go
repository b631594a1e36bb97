package rules_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// Where requests fall on the scale of powers of two: the bucket that ends at 2^n seconds.
const (
	in125ms = -3
	in1s    = 0
	in4s    = 2
)

// served writes a native histogram that gets n observations in one bucket with each step.
func served(n, bucket, steps int, pairs ...string) string {
	step := fmt.Sprintf("{{schema:0 sum:%d count:%d offset:%d buckets:[%d]}}", n, n, bucket, n)
	return of(telemetry.HTTPServerRequestDuration, fmt.Sprintf("%s+%sx%d", step, step, steps), pairs...)
}

func TestGatewayAlerts(t *testing.T) {
	const steps = 80
	routes := of(telemetry.GatewayRoutes, "4x80")
	ok := func(n, bucket int) string {
		return served(n, bucket, steps, "http_route", "/cart", "http_response_status_code", "200")
	}
	bad := func(n int) string {
		return served(n, in125ms, steps, "http_route", "/cart", "http_response_status_code", "503")
	}
	endpoints := func(healthy, unhealthy string) []string {
		return []string{of(telemetry.GatewayUpstreamEndpoints, healthy, "gateway_upstream", "cart", "gateway_endpoint_state", "healthy"),
			of(telemetry.GatewayUpstreamEndpoints, unhealthy, "gateway_upstream", "cart", "gateway_endpoint_state", "unhealthy")}
	}
	run(t, "gateway", []scenario{
		{name: "TailgateGatewayRouteFailing: one in five", series: []string{routes, ok(40, in125ms), bad(10)}, at: 10 * time.Minute,
			fires: []string{`TailgateGatewayRouteFailing{http_route="/cart"}`}},
		{name: "TailgateGatewayRouteFailing: all", series: []string{routes, bad(10)}, at: 10 * time.Minute,
			fires: []string{`TailgateGatewayRouteFailing{http_route="/cart"}`}},
		{name: "TailgateGatewayRouteFailing: one in twenty", series: []string{routes, ok(95, in125ms), bad(5)}, at: 30 * time.Minute},
		{name: "TailgateGatewayRouteFailing: two requests a minute are too few to say", series: []string{routes, bad(1)}, at: 30 * time.Minute},
		{name: "TailgateGatewayRouteFailing: an application that is no gateway", series: []string{ok(40, in4s), bad(40)}, at: 30 * time.Minute},

		{name: "TailgateGatewayRouteSlow: three in a hundred", series: []string{routes, ok(97, in125ms), served(3, in4s, steps, "http_route", "/cart")},
			at: 15 * time.Minute, fires: []string{`TailgateGatewayRouteSlow{http_route="/cart"}`}},
		{name: "TailgateGatewayRouteSlow: a second is slow, not broken", series: []string{routes, ok(100, in1s)}, at: 30 * time.Minute},
		{name: "TailgateGatewayRouteSlow: three in a thousand", series: []string{routes, ok(997, in125ms), served(3, in4s, steps, "http_route", "/cart")},
			at: 30 * time.Minute},

		{name: "TailgateGatewayUpstreamDown: none is left", series: endpoints("3x4 0x40", "0x4 3x40"), at: 4 * time.Minute,
			fires: []string{`TailgateGatewayUpstreamDown{gateway_upstream="cart", instance="a"}`}},
		{name: "TailgateGatewayUpstreamDown: none ever was", series: endpoints("3x40", "3x40")[1:], at: 4 * time.Minute,
			fires: []string{`TailgateGatewayUpstreamDown{gateway_upstream="cart", instance="a"}`}},
		{name: "TailgateGatewayUpstreamDown: taken out of the configuration", series: endpoints("3x4 0x40", "0x40"), at: 10 * time.Minute},

		{name: "TailgateGatewayEndpointsDown: half of them", series: endpoints("2x40", "2x40"), at: 10 * time.Minute,
			fires: []string{`TailgateGatewayEndpointsDown{gateway_upstream="cart", instance="a"}`}},
		{name: "TailgateGatewayEndpointsDown: one of three", series: endpoints("2x60", "1x60"), at: 30 * time.Minute},

		{name: "TailgateGatewayConfigRefused: five minutes", series: []string{of(telemetry.GatewayConfigLastReloadSuccessful, "0x40")}, at: 5 * time.Minute,
			fires: []string{`TailgateGatewayConfigRefused{instance="a"}`}},
		{name: "TailgateGatewayConfigRefused: put right at once", at: 15 * time.Minute,
			series: []string{of(telemetry.GatewayConfigLastReloadSuccessful, "1x4 0x4 1x40")}},
	})
}
