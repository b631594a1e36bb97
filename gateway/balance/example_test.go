package balance_test

import (
	"fmt"
	"time"

	"github.com/tailgate-otel/tailgate/gateway/balance"
	"github.com/tailgate-otel/tailgate/gateway/breaker"
	"github.com/tailgate-otel/tailgate/gateway/health"
)

// An endpoint owns its load and its health; each route has a breaker for it. All three outlive configurations.
type server struct {
	address string
	load    balance.Load
	health  *health.Endpoint
	breaker *breaker.Breaker
}

// attempt is what one request sees of the servers.
type attempt struct {
	servers []*server
	tried   map[int]bool
	now     time.Time
}

func (a *attempt) Share(i int) uint32 {
	if a.tried[i] || !a.servers[i].breaker.Ready(a.now) {
		return 0
	}
	return a.servers[i].health.Share()
}

// A request goes clockwise from one endpoint to the next while they fail, and the health and the breaker of each learn from
// it.
func Example() {
	breakers, group := breaker.NewSet(), health.NewGroup("catalog")
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var servers []*server
	var endpoints []balance.Endpoint
	var members []*health.Endpoint
	for _, address := range []string{"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"} {
		s := &server{address: address, health: health.NewEndpoint(address)}
		s.breaker = breakers.Get(breaker.Key{Route: "products", Endpoint: address}, breaker.Settings{}, now)
		servers, members = append(servers, s), append(members, s.health)
		endpoints = append(endpoints, balance.Endpoint{ID: address, Load: &s.load})
	}
	group.Configure(health.Settings{}, members)
	balancer, err := balance.New(endpoints, balance.Settings{Policy: balance.Ring})
	if err != nil {
		fmt.Println(err)
		return
	}
	down := map[string]bool{"10.0.0.2:80": true}
	send := func(user string) (way string) {
		a := &attempt{servers: servers, tried: map[int]bool{}, now: now}
		for {
			i := balancer.Pick(balance.KeyString(user), a)
			if i == balance.None {
				return way + "nobody"
			}
			s := servers[i]
			a.tried[i] = true
			ticket, ok := s.breaker.Allow(now)
			if !ok {
				continue
			}
			s.load.Begin()
			class, result := breaker.Success, health.Success
			if down[s.address] {
				class, result = breaker.ConnectError, health.ConnectError
			}
			s.load.End()
			s.breaker.Done(ticket, class, now)
			s.health.Record(result, time.Millisecond)
			if way += s.address; class == breaker.Success {
				return way
			}
			way += " failed, then "
		}
	}
	group.Evaluate(now)
	fmt.Println(send("carol"))
	for range 5 {
		send("carol")
		now = now.Add(health.Round)
		group.Evaluate(now)
	}
	fmt.Println(send("carol"))
	// Output:
	// 10.0.0.2:80 failed, then 10.0.0.3:80
	// 10.0.0.3:80
}
