package shop

import (
	"fmt"
	"testing"

	"go.opentelemetry.io/otel/metric/noop"
)

func TestCartsAreBounded(t *testing.T) {
	c, err := newCarts(noop.Meter{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxCarts + 10 {
		c.add(fmt.Sprint("user", i), Line{Product: "map", Quantity: 1, Cents: 100})
	}
	if len(c.byUser) != maxCarts || len(c.order) != maxCarts {
		t.Errorf("%d carts, %d in order, want %d", len(c.byUser), len(c.order), maxCarts)
	}
	if len(c.get("user9").Lines) != 0 || len(c.get("user10").Lines) != 1 {
		t.Error("not the oldest carts were forgotten")
	}
	c.clear("user10")
	c.clear("user10")
	if len(c.byUser) != maxCarts-1 || len(c.order) != maxCarts-1 {
		t.Errorf("after a clear %d carts, %d in order", len(c.byUser), len(c.order))
	}
	for i := range maxLines {
		if !c.add("ann", Line{Product: fmt.Sprint(i), Quantity: 98, Cents: 1}) {
			t.Fatalf("line %d refused", i)
		}
	}
	if c.add("ann", Line{Product: "one more", Quantity: 1}) {
		t.Error("a cart has no limit")
	}
	if !c.add("ann", Line{Product: "0", Quantity: 98}) || c.get("ann").Lines[0].Quantity != maxQuantity {
		t.Error("a product that is in the cart is not added up to the limit")
	}
}
