package shop

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"

	"go.opentelemetry.io/otel/attribute"
)

// limitCents is the amount above which the bank declines.
const limitCents = 150_000

// Methods are the ways to pay.
var Methods = []string{"card", "transfer", "voucher"}

// Payment is the request to collect the money for an order.
type Payment struct {
	Order  string `json:"order"`
	Cents  int    `json:"cents"`
	Method string `json:"method"`
}

// Receipt says that it was collected.
type Receipt struct {
	Authorisation string `json:"authorisation"`
}

func (s *service) payment() []endpoint {
	return []endpoint{{"POST /api/payment", s.pay}}
}

func (s *service) pay(w http.ResponseWriter, r *http.Request) {
	var p Payment
	if !decode(w, r, &p) {
		return
	}
	if p.Cents <= 0 || !slices.Contains(Methods, p.Method) {
		fail(w, http.StatusBadRequest, "cents must be positive and method one of "+strings.Join(Methods, ", "))
		return
	}
	ctx, span := s.tracer.Start(r.Context(), "authorise payment")
	defer span.End()
	declined := p.Cents > limitCents
	span.SetAttributes(attribute.String("order.id", p.Order), attribute.Float64("payment.amount", float64(p.Cents)/100),
		attribute.String("payment.method", p.Method), attribute.Bool("payment.declined", declined))
	if declined {
		s.log.WarnContext(ctx, "payment declined", "order", p.Order, "cents", p.Cents)
		fail(w, http.StatusPaymentRequired, "the bank declines amounts above 1,500 €")
		return
	}
	answer(w, http.StatusOK, Receipt{Authorisation: "a-" + rand.Text()[:12]})
}
