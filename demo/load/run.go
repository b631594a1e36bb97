package load

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tailgate-otel/tailgate/demo/fault"
)

// progressInterval is the pause between two lines of progress.
const progressInterval = 10 * time.Second

// runner is one run.
type runner struct {
	settings Settings
	client   *http.Client
	tally    *tally
	started  time.Time

	mu        sync.Mutex // guards the fields below
	waiting   []*customer
	customers int // begun so far
	checkouts int
}

// customer is a journey under way, with the steps that are left.
type customer struct{ steps []step }

// slot is the permission to send one request, due at a moment.
type slot struct{ due time.Time }

// Run sends the traffic and returns the report. The end of ctx is a normal end of the run. The error says that the
// settings are wrong, or that not a single request was answered.
func Run(ctx context.Context, s Settings) (*Report, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: s.Concurrency, IdleConnTimeout: time.Minute}
	defer transport.CloseIdleConnections()
	r := &runner{
		settings: s, tally: newTally(), started: time.Now(),
		client: &http.Client{
			Transport: transport, Timeout: s.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	slots := make(chan slot) // no buffer: what is not taken at once is late, and shall be seen to be
	var workers sync.WaitGroup
	for range s.Concurrency {
		workers.Go(func() {
			for sl := range slots {
				r.serve(context.WithoutCancel(ctx), sl)
			}
		})
	}
	r.schedule(ctx, slots)
	close(slots)
	workers.Wait()
	report := r.tally.report(s, r.started, time.Since(r.started))
	if report.Requests > 0 && report.Answered == 0 {
		return report, errors.New("not a single request was answered; is the gateway running at " + s.Gateway + "?")
	}
	return report, nil
}

// schedule hands out slots at the rate until the run is over. It never catches up in a burst: the n-th slot is due at a
// fixed moment, and what is overdue goes out as soon as a worker is free.
func (r *runner) schedule(ctx context.Context, slots chan<- slot) {
	if d := r.settings.Duration; d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d)
		defer cancel()
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	progress := r.started.Add(progressInterval)
	for n := 0; r.settings.Requests == 0 || n < r.settings.Requests; n++ {
		due := r.started.Add(time.Duration(float64(n) / r.settings.Rate * float64(time.Second)))
		timer.Reset(time.Until(due))
		select {
		case <-timer.C:
		case <-ctx.Done():
			return
		}
		select {
		case slots <- slot{due}:
		case <-ctx.Done():
			return
		}
		if now := time.Now(); now.After(progress) {
			progress = now.Add(progressInterval)
			r.progress(now)
		}
	}
}

func (r *runner) progress(now time.Time) {
	p := r.tally.report(r.settings, r.started, now.Sub(r.started))
	r.settings.Log.Info("load", "elapsed", now.Sub(r.started).Round(time.Second).String(), "requests", p.Requests,
		"per_second", p.PerSecond, "5xx", p.ByClass["5xx"], "unanswered", p.Requests-p.Answered, "late", p.Late,
		"p50", p.Latency.P50.String(), "p99", p.Latency.P99.String())
}

// serve sends the next request of the customer whose turn it is.
func (r *runner) serve(ctx context.Context, sl slot) {
	c := r.next()
	st := c.steps[0]
	begun := time.Now()
	status, err := r.send(ctx, st)
	o := outcome{method: st.method, route: st.route, status: status, took: time.Since(begun), late: begun.Sub(sl.due)}
	if err != nil {
		o.failure = classify(err)
	}
	r.tally.add(o)
	c.steps = c.steps[1:]
	if len(c.steps) == 0 || err != nil || status >= 400 {
		return // done, or has had enough
	}
	r.mu.Lock()
	r.waiting = append(r.waiting, c)
	r.mu.Unlock()
}

// next takes the customer who has waited longest, if a reasonable number wait, or else lets a new one in. With as many
// customers about as requests may be in flight, a journey's requests are not sent back to back.
func (r *runner) next() *customer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) >= r.settings.Concurrency/2+1 {
		c := r.waiting[0]
		r.waiting = append(r.waiting[:0], r.waiting[1:]...)
		return c
	}
	c := &customer{steps: journey(r.settings.Seed, r.customers)}
	r.customers++
	return c
}

func (r *runner) send(ctx context.Context, st step) (int, error) {
	var body io.Reader
	if st.form != nil {
		body = strings.NewReader(st.form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, st.method, strings.TrimSuffix(r.settings.Gateway, "/")+st.path, body)
	if err != nil {
		return 0, err
	}
	req.Header.Set("User-Agent", "tailgate-demo-load")
	if st.form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if text := r.directive(st); text != "" {
		req.Header.Set(fault.Header, text)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }() // read only
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, err
	}
	return resp.StatusCode, nil
}

// directive is what X-Demo-Fault says on this request; empty leaves the header out.
func (r *runner) directive(st step) string {
	if r.settings.FaultEvery == 0 {
		return ""
	}
	if st.route != routeCheckout {
		return fault.None
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.checkouts++
	if r.checkouts%r.settings.FaultEvery != 0 {
		return fault.None
	}
	r.tally.fault()
	return r.settings.Fault
}

// classify puts the errors of the transport into a closed set.
func classify(err error) string {
	var ne net.Error
	switch {
	case errors.As(err, &ne) && ne.Timeout():
		return "timeout"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "closed"
	default:
		return "other"
	}
}
