package shop

import (
	"net/http"
	"slices"

	"go.opentelemetry.io/otel/attribute"
)

// Product is one article. Money is in euro cents throughout, as in every shop that wants its sums to be right.
type Product struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Category string `json:"category"`
	Cents    int    `json:"cents"`
	Text     string `json:"text"`
}

// Assortment is what the shop sells.
var Assortment = []Product{
	{"trail-tent", "Trail tent", "camp", 24900, "Two people, 1.9 kg, stands in four minutes. In the rain, too."},
	{"down-bag", "Down sleeping bag", "camp", 31900, "Comfortable at −5 °C, as small as a loaf of bread."},
	{"gas-stove", "Gas stove", "camp", 5990, "Half a litre boils in two minutes and a half."},
	{"head-torch", "Head torch", "camp", 3490, "400 lumens, or two hundred hours, not both."},
	{"day-pack", "Day pack 24 l", "carry", 8900, "A back that breathes and a pocket that is found without looking."},
	{"bottle", "Steel bottle", "carry", 2490, "Keeps tea hot for twelve hours and dents for ever."},
	{"boots", "Hiking boots", "wear", 18900, "Leather, resoleable, broken in by somebody else."},
	{"rain-shell", "Rain shell", "wear", 22900, "Three layers, two-way zips, one size up."},
	{"wool-socks", "Wool socks", "wear", 1990, "Merino. The third pair is always missing."},
	{"compass", "Compass", "find", 4490, "Works without a subscription."},
	{"map", "Map 1:25,000", "find", 1290, "Waterproof, and folds back. Once."},
	{"kayak", "Folding kayak", "float", 169000, "For the bank to think about: orders above 1,500 € are declined."},
}

// Discontinued is the id of a product that the shop no longer has: bookmarks to it lead to 404.
const Discontinued = "fax-machine"

func (s *service) catalog() []endpoint {
	return []endpoint{
		{"GET /api/catalog/products", s.listProducts},
		{"GET /api/catalog/products/{id}", s.showProduct},
	}
}

func (s *service) listProducts(w http.ResponseWriter, r *http.Request) {
	category := r.URL.Query().Get("category")
	_, span := s.tracer.Start(r.Context(), "search catalog")
	defer span.End()
	found := slices.DeleteFunc(slices.Clone(Assortment), func(p Product) bool { return category != "" && p.Category != category })
	span.SetAttributes(attribute.String("catalog.category", category), attribute.Int("catalog.products.found", len(found)))
	answer(w, http.StatusOK, found)
}

func (s *service) showProduct(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	_, span := s.tracer.Start(r.Context(), "look up product")
	defer span.End()
	span.SetAttributes(attribute.String("product.id", id))
	i := slices.IndexFunc(Assortment, func(p Product) bool { return p.ID == id })
	if i < 0 {
		fail(w, http.StatusNotFound, "there is no such product")
		return
	}
	span.SetAttributes(attribute.String("product.category", Assortment[i].Category), attribute.Int("product.cents", Assortment[i].Cents))
	answer(w, http.StatusOK, Assortment[i])
}
