package stack

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	services "github.com/tailgate-otel/tailgate/demo/shop"
)

// TestAddressesAreThoseOfTheConfiguration keeps the ports that the stack checks and asks equal to those in config/.
func TestAddressesAreThoseOfTheConfiguration(t *testing.T) {
	read := func(name string) string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join("..", "..", "config", name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	a := DefaultAddresses()
	quickstart, routes := read("quickstart.yaml"), read("gateway.yaml")
	for _, addr := range []string{a.Store, a.Health, a.Metrics, a.Debug, a.OTLPgRPC, a.OTLPHTTP} {
		_, port, err := net.SplitHostPort(addr)
		if err != nil || !strings.Contains(quickstart, "-localhost:"+port+"}") && !strings.Contains(quickstart, ":-"+port+"}") {
			t.Errorf("config/quickstart.yaml does not listen on port %s (%v)", port, err)
		}
	}
	for _, want := range []string{"listen: " + a.Gateway, "admin: " + a.GatewayAdmin} {
		if !strings.Contains(routes, want) {
			t.Errorf("config/gateway.yaml has no %q", want)
		}
	}
	for _, name := range services.Names() {
		if !strings.Contains(routes, name+`: { endpoints: ["http://`+a.Services[name]+`"] }`) {
			t.Errorf("config/gateway.yaml does not route to %s at %s", name, a.Services[name])
		}
	}
}

func TestChildren(t *testing.T) {
	o := Options{Dist: "dist", ConfigDir: "config", Data: "data", Rate: 200, Addresses: DefaultAddresses()}
	var names []string
	ports := map[string]bool{}
	for _, c := range append(o.children(), o.loadChild()) {
		names = append(names, c.Name)
		for _, p := range c.Ports {
			ports[p.Addr] = true
		}
	}
	if !slices.Equal(names, []string{"tailgate", "gateway", "shop", "load"}) {
		t.Errorf("started in order %v", names)
	}
	if len(ports) != 14 {
		t.Errorf("%d ports are checked: %v", len(ports), ports)
	}
	if args := strings.Join(o.loadChild().Args, " "); !strings.Contains(args, "--rate 200 --duration 24h0m0s") {
		t.Errorf("load runs with %s", args)
	}
}
