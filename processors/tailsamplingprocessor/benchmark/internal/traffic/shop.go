package traffic

import (
	"fmt"
	"math/rand/v2"
)

// An attribute as it is written into a request. token asks for that many hex digits behind text that are new each
// round: the high cardinality of ids in paths, keys and statements.
type attribute struct {
	key   string
	text  string
	token int
	num   int64
	kind  attributeKind
}

type attributeKind uint8

const (
	textValue attributeKind = iota
	intValue
	boolValue
)

func text(key, value string) attribute { return attribute{key: key, text: value} }
func fresh(key, prefix string, digits int) attribute {
	return attribute{key: key, text: prefix, token: digits}
}
func number(key string, n int64) attribute { return attribute{key: key, num: n, kind: intValue} }
func flag(key string, on bool) attribute {
	a := attribute{key: key, kind: boolValue}
	if on {
		a.num = 1
	}
	return a
}

// The policies of the benchmark look for these.
const (
	// TenantKey is on every span that serves a request.
	TenantKey = "enduser.tenant"
	// WatchedTenant is one of tenants: about one trace in a hundred is its.
	WatchedTenant = "tenant-042"

	tenants = 100
)

var services = [...]string{
	"frontend", "cart", "checkout", "catalogue", "currency", "shipping",
	"payment", "recommendation", "email", "accounting", "fraud-detection", "search",
}

const (
	podsPerService = 2
	podsPerNode    = 4 // a request comes from one node: its four pods are the four ResourceSpans
	nodes          = len(services) * podsPerService / podsPerNode
)

// resource lists the 12 attributes of a pod.
func resource(pod int) []attribute {
	service, node := services[pod%len(services)], pod/podsPerNode
	return []attribute{
		text("service.name", service),
		text("service.namespace", "shop"),
		text("service.version", fmt.Sprintf("1.%d.%d", pod%len(services), pod%3)),
		text("service.instance.id", fmt.Sprintf("0f9c2b54-71aa-4d1e-9e0b-%012x", 0xa1b2c3d4+pod)),
		text("deployment.environment.name", "production"),
		text("host.name", fmt.Sprintf("ip-10-0-%d-17.eu-west-1.compute.internal", node)),
		text("k8s.cluster.name", "shop-eu-1"),
		text("k8s.namespace.name", "shop"),
		text("k8s.node.name", fmt.Sprintf("ip-10-0-%d-17", node)),
		text("k8s.pod.name", fmt.Sprintf("%s-7d9f8b6c5d-%05x", service, 0x1f3a*(pod+1))),
		text("telemetry.sdk.language", "go"),
		text("telemetry.sdk.version", "1.47.0"),
	}
}

// A spanShape is what one span says beside ids and times.
type spanShape struct {
	name       string
	kind       uint64
	attributes []attribute
}

const (
	kindInternal = 1
	kindServer   = 2
	kindClient   = 3
	kindProducer = 4
)

var (
	routes  = [...]string{"/api/orders/{id}", "/api/cart/{id}/items", "/api/products/{id}", "/api/users/{id}/profile", "/api/search/{id}", "/api/payments/{id}"}
	methods = [...]string{"GET", "GET", "GET", "POST", "PUT"}
	codes   = [...]int64{200, 200, 200, 200, 201, 204, 304, 404}
	tables  = [...]string{"orders", "cart_items", "products", "users", "payments", "shipments"}
	agents  = [...]string{
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/128.0.0.0 Safari/537.36",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:130.0) Gecko/20100101 Firefox/130.0",
		"shop-android/8.4.1 (build 8841; Android 15) okhttp/4.12.0",
	}
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// shape draws a span: a third serve a request, the others are calls, database queries, internal work and messages. The
// shares give 9.6 attributes per span on average.
func shape(r *rand.Rand, root bool, tenant string) spanShape {
	switch n := r.IntN(100); {
	case root || n < 26:
		return serverSpan(r, tenant)
	case n < 46:
		return clientSpan(r)
	case n < 71:
		return databaseSpan(r)
	case n < 92:
		return internalSpan(r)
	default:
		return messageSpan(r)
	}
}

func serverSpan(r *rand.Rand, tenant string) spanShape {
	method, route := pick(r, methods[:]), pick(r, routes[:])
	return spanShape{method + " " + route, kindServer, []attribute{
		text("http.request.method", method),
		text("http.route", route),
		fresh("url.path", "/api/r/", 12),
		text("url.scheme", "https"),
		number("http.response.status_code", pick(r, codes[:])),
		text("server.address", "shop.example.com"),
		number("server.port", 443),
		text("client.address", fmt.Sprintf("10.1.%d.%d", r.IntN(16), r.IntN(256))),
		text("user_agent.original", pick(r, agents[:])),
		text("network.protocol.version", "1.1"),
		text(TenantKey, tenant),
	}}
}

func clientSpan(r *rand.Rand) spanShape {
	method, service := pick(r, methods[:]), pick(r, services[:])
	return spanShape{method, kindClient, []attribute{
		text("http.request.method", method),
		fresh("url.full", "http://"+service+".shop.svc.cluster.local:8080/api/v2/r/", 12),
		text("server.address", service+".shop.svc.cluster.local"),
		number("server.port", 8080),
		number("http.response.status_code", pick(r, codes[:])),
		text("network.peer.address", fmt.Sprintf("10.2.0.%d", r.IntN(64))),
		text("network.protocol.name", "http"),
		text("network.protocol.version", "1.1"),
		number("http.response.body.size", r.Int64N(60_000)),
	}}
}

func databaseSpan(r *rand.Rand) spanShape {
	table := pick(r, tables[:])
	return spanShape{"SELECT " + table, kindClient, []attribute{
		text("db.system.name", "postgresql"),
		text("db.namespace", "shop"),
		text("db.operation.name", "SELECT"),
		text("db.collection.name", table),
		text("db.query.text", "SELECT id, created_at, updated_at, state, currency, total FROM "+table+" WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL ORDER BY created_at DESC LIMIT 50"),
		fresh("db.query.parameter.id", "", 12),
		text("server.address", "postgres-"+table+".shop.svc.cluster.local"),
		number("server.port", 5432),
		number("db.response.returned_rows", r.Int64N(50)),
		number("thread.id", r.Int64N(64)),
	}}
}

func internalSpan(r *rand.Rand) spanShape {
	table := pick(r, tables[:])
	return spanShape{"load " + table, kindInternal, []attribute{
		text("code.function.name", "github.com/example/shop/internal/store.(*Cache).Load"),
		text("code.file.path", "internal/store/cache.go"),
		number("code.line.number", 117),
		number("thread.id", r.Int64N(64)),
		text("thread.name", fmt.Sprintf("worker-%d", r.IntN(16))),
		fresh("app.cache.key", table+":", 16),
		flag("app.cache.hit", r.IntN(3) > 0),
		text("app.feature", "cache-v2"),
	}}
}

func messageSpan(r *rand.Rand) spanShape {
	topic := pick(r, tables[:]) + ".events"
	return spanShape{"send " + topic, kindProducer, []attribute{
		text("messaging.system", "kafka"),
		text("messaging.destination.name", topic),
		text("messaging.operation.type", "send"),
		fresh("messaging.message.id", "", 24),
		number("messaging.destination.partition.id", r.Int64N(12)),
		number("messaging.message.body.size", 200+r.Int64N(4_000)),
		text("messaging.client.id", "producer-1"),
		text("server.address", "kafka.shop.svc.cluster.local"),
		number("server.port", 9092),
	}}
}
