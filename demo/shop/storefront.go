package shop

import (
	"bytes"
	"crypto/rand"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"
)

//go:embed pages/*.html
var pageFiles embed.FS

// pages are the templates; each file defines "title" and "content" of the layout.
var pages = loadPages("home", "product", "cart", "order", "problem")

func loadPages(names ...string) map[string]*template.Template {
	funcs := template.FuncMap{"euro": euro}
	out := make(map[string]*template.Template)
	for _, name := range names {
		out[name] = template.Must(template.New("layout.html").Funcs(funcs).ParseFS(pageFiles, "pages/layout.html", "pages/"+name+".html"))
	}
	return out
}

func euro(cents int) string { return fmt.Sprintf("%d.%02d €", cents/100, cents%100) }

// userCookie remembers whose cart a browser has.
const userCookie = "demo_user"

// checkoutTimeout leaves room for all that checkout waits for.
const checkoutTimeout = 8 * time.Second

// page is what a template sees.
type page struct {
	User    string
	TraceID string
	Data    any
}

func (s *service) storefront() []endpoint {
	return []endpoint{
		{"GET /{$}", s.home},
		{"GET /shop/product/{id}", s.productPage},
		{"GET /shop/cart/{user}", s.cartPage},
		{"POST /shop/cart/{user}/items", s.putIntoCart},
		{"POST /shop/checkout/{user}", s.buy},
	}
}

func (s *service) home(w http.ResponseWriter, r *http.Request) {
	var products []Product
	if err := s.calls.call(r.Context(), catalogTimeout, http.MethodGet, "/api/catalog/products", nil, &products); err != nil {
		s.problem(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, "home", products)
}

func (s *service) productPage(w http.ResponseWriter, r *http.Request) {
	var p Product
	if err := s.calls.call(r.Context(), catalogTimeout, http.MethodGet, "/api/catalog/products/"+url.PathEscape(r.PathValue("id")), nil, &p); err != nil {
		s.problem(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, "product", p)
}

func (s *service) cartPage(w http.ResponseWriter, r *http.Request) {
	var c Cart
	if err := s.calls.call(r.Context(), cartTimeout, http.MethodGet, "/api/cart/"+url.PathEscape(r.PathValue("user")), nil, &c); err != nil {
		s.problem(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, "cart", c)
}

func (s *service) putIntoCart(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if err := r.ParseForm(); err != nil {
		s.problem(w, r, &callError{http.StatusBadRequest, "the form cannot be read: " + err.Error()})
		return
	}
	quantity, err := strconv.Atoi(r.PostForm.Get("quantity"))
	if err != nil {
		s.problem(w, r, &callError{http.StatusBadRequest, "quantity must be a number"})
		return
	}
	path := "/api/cart/" + url.PathEscape(r.PathValue("user"))
	item := Item{Product: r.PostForm.Get("product"), Quantity: quantity}
	if err := s.calls.call(r.Context(), cartTimeout, http.MethodPost, path+"/items", item, nil); err != nil {
		s.problem(w, r, err)
		return
	}
	http.Redirect(w, r, "/shop/cart/"+url.PathEscape(r.PathValue("user")), http.StatusSeeOther)
}

func (s *service) buy(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	var order Order
	purchase := Purchase{User: r.PathValue("user"), Method: r.PostFormValue("method")}
	if err := s.calls.call(r.Context(), checkoutTimeout, http.MethodPost, "/api/checkout", purchase, &order); err != nil {
		s.problem(w, r, err)
		return
	}
	s.render(w, r, http.StatusOK, "order", order)
}

// problem shows an error page with the status of the cause.
func (s *service) problem(w http.ResponseWriter, r *http.Request, err error) {
	status := statusOf(err)
	s.render(w, r, status, "problem", struct {
		Status int
		Name   string
		Text   string
	}{status, http.StatusText(status), err.Error()})
}

// render draws a page, all of it before the first byte is sent, so that an error in a template is a clean 500.
func (s *service) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) {
	ctx, span := s.tracer.Start(r.Context(), "render "+name)
	defer span.End()
	p := page{User: s.user(w, r), TraceID: trace.SpanContextFromContext(ctx).TraceID().String(), Data: data}
	var b bytes.Buffer
	if err := pages[name].ExecuteTemplate(&b, "layout.html", p); err != nil {
		s.log.ErrorContext(ctx, "page cannot be drawn", "page", name, "error", err.Error())
		fail(w, http.StatusInternalServerError, "the page cannot be drawn")
		return
	}
	span.SetAttributes(attribute.String("page.name", name), attribute.Int("page.bytes", b.Len()))
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the browser may be gone
}

// user is whose cart this browser sees: the one in the path, else the one of its cookie, else a new one.
func (s *service) user(w http.ResponseWriter, r *http.Request) string {
	if user := r.PathValue("user"); user != "" {
		return user
	}
	if c, err := r.Cookie(userCookie); err == nil && c.Value != "" && len(c.Value) <= 64 {
		return c.Value
	}
	user := "guest-" + rand.Text()[:8]
	http.SetCookie(w, &http.Cookie{Name: userCookie, Value: user, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return user
}
