package load

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tailgate-otel/tailgate/demo/shop"
)

// step is one request of a journey.
type step struct {
	method string
	// route is the storefront's pattern for path: what the request is counted as.
	route string
	path  string
	form  url.Values
}

const (
	routeHome     = "/{$}"
	routeProduct  = "/shop/product/{id}"
	routeCart     = "/shop/cart/{user}"
	routeItems    = "/shop/cart/{user}/items"
	routeCheckout = "/shop/checkout/{user}"
)

// journey is what one customer does; number n of a seed is always the same. Of a hundred customers 40 look around, 25
// read about products, 15 fill a cart and leave it, 18 buy, and 2 follow an old bookmark.
func journey(seed uint64, n int) []step {
	src := rand.New(rand.NewPCG(seed, uint64(n)))
	user := fmt.Sprintf("customer-%d-%d", seed, n)
	var j []step
	switch p := src.IntN(100); {
	case p < 40:
		j = append(j, home())
		if src.IntN(2) == 0 {
			j = append(j, look(pick(src)))
		}
	case p < 65:
		for range 2 + src.IntN(4) {
			j = append(j, look(pick(src)))
		}
	case p < 80:
		j = append(j, home(), look(pick(src)))
		j = append(j, fill(src, user)...)
	case p < 98:
		j = append(j, home())
		j = append(j, fill(src, user)...)
		j = append(j, step{
			http.MethodPost, routeCheckout, "/shop/checkout/" + user,
			url.Values{"method": {shop.Methods[src.IntN(len(shop.Methods))]}},
		})
	default:
		j = append(j, look(shop.Discontinued), home())
	}
	return j
}

func pick(src *rand.Rand) string { return shop.Assortment[src.IntN(len(shop.Assortment))].ID }

func home() step { return step{http.MethodGet, routeHome, "/", nil} }

func look(id string) step { return step{http.MethodGet, routeProduct, "/shop/product/" + id, nil} }

// fill puts one to three articles into the cart and looks at it each time, as a browser does that follows the redirect.
func fill(src *rand.Rand, user string) []step {
	cart := "/shop/cart/" + user
	var j []step
	for range 1 + src.IntN(3) {
		form := url.Values{"product": {pick(src)}, "quantity": {strconv.Itoa(1 + src.IntN(2))}}
		j = append(j, step{http.MethodPost, routeItems, cart + "/items", form}, step{http.MethodGet, routeCart, cart, nil})
	}
	return j
}
