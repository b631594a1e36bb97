package shop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/tailgate-otel/tailgate/demo/fault"
)

// Version is the service.version of all five services.
const Version = "0.1.0"

// flushTimeout bounds the last export of each service at shutdown, so that a collector that is gone does not hold it up.
const flushTimeout = 5 * time.Second

// Settings say where the shop lives.
type Settings struct {
	// Gateway is the base URL under which the services find each other.
	Gateway string
	// Listen maps each name of Names to its address.
	Listen map[string]string
	// Admin is the address of the admin listener.
	Admin  string
	Faults fault.Config
	// Log takes text; see telemetry.Settings.
	Log   io.Writer
	Level slog.Leveler
}

// Names lists the services in the order in which they are drained: callers before the called.
func Names() []string { return []string{"storefront", "checkout", "payment", "cart", "catalog"} }

// Routes lists the routes that each service declares.
func Routes() fault.Services {
	routes := make(fault.Services)
	for _, name := range Names() {
		for _, e := range (&service{name: name}).endpoints() {
			routes[name] = append(routes[name], e.pattern)
		}
	}
	return routes
}

// Shop is the running shop.
type Shop struct {
	services []*service
	admin    *http.Server
	adminLn  net.Listener
	failed   chan error // capacity: one per listener, so that none waits
}

// Start opens all listeners and serves. When it fails, nothing is left open.
func Start(ctx context.Context, s Settings) (*Shop, error) {
	base, err := url.Parse(s.Gateway)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("gateway %q: must be a URL like http://127.0.0.1:8080", s.Gateway)
	}
	shop := &Shop{failed: make(chan error, len(Names())+1)}
	faults := fault.NewInjector(s.Faults)
	for _, name := range Names() {
		svc, err := newService(ctx, name, base, s, faults)
		if err != nil {
			return nil, errors.Join(err, shop.Shutdown(ctx))
		}
		shop.services = append(shop.services, svc)
	}
	if shop.adminLn, err = listen("admin", s.Admin); err != nil {
		return nil, errors.Join(err, shop.Shutdown(ctx))
	}
	shop.admin = newAdmin(shop, faults)
	for _, svc := range shop.services {
		go shop.serve(svc.name, svc.server, svc.listener)
	}
	go shop.serve("admin", shop.admin, shop.adminLn)
	return shop, nil
}

func listen(name, addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for %s: %w: choose another address with --listen-%s", name, err, name)
	}
	return l, nil
}

func (s *Shop) serve(name string, server *http.Server, l net.Listener) {
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		s.failed <- fmt.Errorf("serve %s: %w", name, err)
	}
}

// Failed delivers the error of a listener that stopped serving by itself.
func (s *Shop) Failed() <-chan error { return s.failed }

// Addr is the address of a service, or of "admin".
func (s *Shop) Addr(name string) string {
	if name == "admin" {
		return s.adminLn.Addr().String()
	}
	for _, svc := range s.services {
		if svc.name == name {
			return svc.listener.Addr().String()
		}
	}
	return ""
}

// Shutdown drains all services and flushes their telemetry. It obeys ctx; connections that are still busy then are cut.
func (s *Shop) Shutdown(ctx context.Context) error {
	var errs []error
	if s.admin != nil {
		errs = append(errs, stopServer(ctx, "admin", s.admin))
	}
	for _, svc := range s.services {
		errs = append(errs, stopServer(ctx, svc.name, svc.server), svc.listener.Close())
	}
	for _, svc := range s.services {
		svc.calls.close()
		flush, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
		errs = append(errs, svc.tel.Shutdown(flush))
		cancel()
	}
	return ignoreClosed(errs)
}

func stopServer(ctx context.Context, name string, server *http.Server) error {
	err := server.Shutdown(ctx)
	if err == nil {
		return nil
	}
	return errors.Join(fmt.Errorf("drain %s: %w", name, err), server.Close())
}

// ignoreClosed joins the errors without those of listeners that the server has closed before us.
func ignoreClosed(errs []error) error {
	var real []error
	for _, err := range errs {
		if !errors.Is(err, net.ErrClosed) {
			real = append(real, err)
		}
	}
	return errors.Join(real...)
}
