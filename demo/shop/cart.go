package shop

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

const (
	maxCarts    = 10_000 // of at most 3 KB: 30 MB
	maxLines    = 50
	maxQuantity = 99

	catalogTimeout = 2 * time.Second
)

// Line is one article in a cart.
type Line struct {
	Product  string `json:"product"`
	Name     string `json:"name"`
	Quantity int    `json:"quantity"`
	Cents    int    `json:"cents"` // of one piece
}

// Cart is what a user is about to buy.
type Cart struct {
	User  string `json:"user"`
	Lines []Line `json:"lines"`
	Cents int    `json:"cents"` // of all
}

// Item is a request to put something into a cart.
type Item struct {
	Product  string `json:"product"`
	Quantity int    `json:"quantity"`
}

// carts holds the carts of all users.
type carts struct {
	mu     sync.Mutex // guards the fields below
	byUser map[string][]Line
	order  []string // users by age of their cart; those whose cart is gone are skipped when their turn comes
}

func newCarts(meter metric.Meter) (*carts, error) {
	c := &carts{byUser: make(map[string][]Line)}
	_, err := meter.Int64ObservableGauge("shop.carts", metric.WithUnit("{cart}"),
		metric.WithDescription("Carts with something in them."),
		metric.WithInt64Callback(func(_ context.Context, o metric.Int64Observer) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			o.Observe(int64(len(c.byUser)))
			return nil
		}))
	return c, err
}

func (c *carts) get(user string) Cart {
	c.mu.Lock()
	defer c.mu.Unlock()
	cart := Cart{User: user, Lines: slices.Clone(c.byUser[user])}
	for _, l := range cart.Lines {
		cart.Cents += l.Cents * l.Quantity
	}
	return cart
}

// add puts a line into a cart; it returns false when the cart is full.
func (c *carts) add(user string, line Line) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	lines, exists := c.byUser[user]
	if i := slices.IndexFunc(lines, func(l Line) bool { return l.Product == line.Product }); i >= 0 {
		lines[i].Quantity = min(lines[i].Quantity+line.Quantity, maxQuantity)
		return true
	}
	if len(lines) == maxLines {
		return false
	}
	if !exists {
		c.makeRoom()
		c.order = append(c.order, user)
	}
	c.byUser[user] = append(lines, line)
	return true
}

// makeRoom forgets the oldest carts until one more fits; mu held. order never grows beyond maxCarts either: whoever
// is dropped from it has no cart any more, or loses it here.
func (c *carts) makeRoom() {
	for len(c.order) >= maxCarts {
		delete(c.byUser, c.order[0])
		c.order = c.order[1:]
	}
}

func (c *carts) clear(user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, exists := c.byUser[user]; !exists {
		return
	}
	delete(c.byUser, user)
	c.order = slices.DeleteFunc(c.order, func(u string) bool { return u == user })
}

func (s *service) cart() []endpoint {
	return []endpoint{
		{"GET /api/cart/{user}", s.showCart},
		{"POST /api/cart/{user}/items", s.addItem},
		{"DELETE /api/cart/{user}", s.clearCart},
	}
}

func (s *service) showCart(w http.ResponseWriter, r *http.Request) {
	answer(w, http.StatusOK, s.carts.get(r.PathValue("user")))
}

func (s *service) clearCart(w http.ResponseWriter, r *http.Request) {
	s.carts.clear(r.PathValue("user"))
	w.WriteHeader(http.StatusNoContent)
}

func (s *service) addItem(w http.ResponseWriter, r *http.Request) {
	var item Item
	if !decode(w, r, &item) {
		return
	}
	if item.Quantity < 1 || item.Quantity > maxQuantity {
		fail(w, http.StatusBadRequest, "quantity must be between 1 and 99")
		return
	}
	ctx, span := s.tracer.Start(r.Context(), "price item")
	defer span.End()
	span.SetAttributes(attribute.String("product.id", item.Product), attribute.Int("cart.quantity", item.Quantity))
	var p Product
	if err := s.calls.call(ctx, catalogTimeout, http.MethodGet, "/api/catalog/products/"+url.PathEscape(item.Product), nil, &p); err != nil {
		failCall(w, err)
		return
	}
	user := r.PathValue("user")
	if !s.carts.add(user, Line{Product: p.ID, Name: p.Name, Quantity: item.Quantity, Cents: p.Cents}) {
		fail(w, http.StatusConflict, "the cart is full: check out first")
		return
	}
	answer(w, http.StatusCreated, s.carts.get(user))
}
