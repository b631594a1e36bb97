// Package shop is a small web shop of five HTTP services, made to be looked at: storefront, catalog, cart, checkout and
// payment, each with its own listener and its own OpenTelemetry SDK. They know each other only by the gateway's address,
// so that every call between them is proxied like any other request.
//
//	browser -> gateway -> storefront -> gateway -> catalog
//	                                 -> gateway -> cart -> gateway -> catalog
//	                                 -> gateway -> checkout -> gateway -> cart, payment
//
// Which requests fail or are slow is decided by package fault. Nothing is stored: carts live in memory, at most 10,000 of
// them, the oldest give way.
//
// Goroutines: one per listener, one per connection (net/http), and those of the SDKs. Shutdown drains the services from
// the outside inwards, so that a request in flight still finds the services it calls, then flushes the telemetry. The
// shop bounds nothing under overload; the gateway before it does.
package shop
