package shop

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

const (
	cartTimeout = 3 * time.Second
	// paymentTimeout is shorter than the hang in the shipped faults, so that the shop shows timeouts.
	paymentTimeout = 2500 * time.Millisecond
)

// Order is what checkout answers.
type Order struct {
	ID            string `json:"id"`
	User          string `json:"user"`
	Lines         []Line `json:"lines"`
	Cents         int    `json:"cents"`
	Authorisation string `json:"authorisation"`
}

// Purchase is the request to check out a user's cart.
type Purchase struct {
	User   string `json:"user"`
	Method string `json:"method"` // see Methods
}

// orders are the instruments of checkout.
type orders struct {
	count  metric.Int64Counter
	amount metric.Float64Histogram
}

func newOrders(meter metric.Meter) (*orders, error) {
	count, err := meter.Int64Counter("shop.orders", metric.WithUnit("{order}"),
		metric.WithDescription("Attempts to check out, by what became of them."))
	if err != nil {
		return nil, err
	}
	amount, err := meter.Float64Histogram("shop.order.amount", metric.WithUnit("{EUR}"),
		metric.WithDescription("Amount of the orders that were placed."))
	if err != nil {
		return nil, err
	}
	return &orders{count: count, amount: amount}, nil
}

func (s *service) checkout() []endpoint {
	return []endpoint{{"POST /api/checkout", s.placeOrder}}
}

func (s *service) placeOrder(w http.ResponseWriter, r *http.Request) {
	var p Purchase
	if !decode(w, r, &p) {
		return
	}
	if p.User == "" {
		fail(w, http.StatusBadRequest, "user is missing")
		return
	}
	ctx, span := s.tracer.Start(r.Context(), "place order")
	defer span.End()
	order, err := s.order(ctx, p)
	outcome := outcomeOf(err)
	s.orders.count.Add(ctx, 1, metric.WithAttributes(attribute.String("outcome", outcome)))
	span.SetAttributes(attribute.String("order.outcome", outcome))
	if err != nil {
		if outcome == "failed" {
			span.RecordError(err)
			span.SetStatus(codes.Error, "order failed")
			s.log.WarnContext(ctx, "order failed", "order", order.ID, "cause", err.Error())
		}
		failCall(w, err)
		return
	}
	s.orders.amount.Record(ctx, float64(order.Cents)/100)
	s.log.InfoContext(ctx, "order placed", "order", order.ID, "cents", order.Cents, "lines", len(order.Lines))
	answer(w, http.StatusCreated, order)
}

func outcomeOf(err error) string {
	switch status := statusOf(err); {
	case err == nil:
		return "placed"
	case status == http.StatusPaymentRequired:
		return "declined"
	case status < 499:
		return "refused"
	default:
		return "failed"
	}
}

// order reads the cart, has it paid, and empties it.
func (s *service) order(ctx context.Context, p Purchase) (Order, error) {
	order := Order{ID: "o-" + rand.Text()[:10], User: p.User}
	cartPath := "/api/cart/" + url.PathEscape(p.User)
	var cart Cart
	if err := s.calls.call(ctx, cartTimeout, http.MethodGet, cartPath, nil, &cart); err != nil {
		return order, err
	}
	if len(cart.Lines) == 0 {
		return order, &callError{http.StatusConflict, "the cart is empty"}
	}
	order.Lines, order.Cents = cart.Lines, cart.Cents
	trace.SpanFromContext(ctx).SetAttributes(attribute.String("order.id", order.ID),
		attribute.Int("order.lines", len(order.Lines)), attribute.Float64("order.amount", float64(order.Cents)/100),
		attribute.String("order.currency", "EUR"))
	var receipt Receipt
	err := s.calls.call(ctx, paymentTimeout, http.MethodPost, "/api/payment",
		Payment{Order: order.ID, Cents: order.Cents, Method: p.Method}, &receipt)
	if err != nil {
		return order, err
	}
	order.Authorisation = receipt.Authorisation
	if err := s.calls.call(ctx, cartTimeout, http.MethodDelete, cartPath, nil, nil); err != nil {
		// Paid is paid: an old cart is a nuisance, an order that is lost after payment is not.
		s.log.WarnContext(ctx, "the cart could not be emptied", "order", order.ID, "cause", err.Error())
	}
	return order, nil
}
