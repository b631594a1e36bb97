package tailsamplingprocessor

import (
	"context"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.uber.org/zap"

	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/probability"
	"github.com/tailgate-otel/tailgate/internal/tracefate"
	"github.com/tailgate-otel/tailgate/processors/tailsamplingprocessor/internal/engine"
)

// debugServer answers GET /debug/sampling (policies and their counts), GET /debug/sampling?trace_id= (what is known of a
// trace) and POST /debug/sampling?trace_id= (keep it after all). A nil server is off.
type debugServer struct {
	sampler *sampler
	server  *http.Server
	serving sync.WaitGroup
}

//go:embed debug.html
var debugHTML string

var debugPage = template.Must(template.New("debug").Parse(debugHTML))

func startDebug(p *sampler) (*debugServer, error) {
	if p.cfg.Debug.Endpoint == "" {
		return nil, nil
	}
	listener, err := net.Listen("tcp", p.cfg.Debug.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("debug::endpoint: %w", err)
	}
	d := &debugServer{sampler: p}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/sampling", d.show)
	mux.HandleFunc("POST /debug/sampling", d.rescue)
	d.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	d.serving.Go(func() {
		if err := d.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			p.logger.Error("debug endpoint ended", zap.Error(err))
		}
	})
	p.logger.Info("debug endpoint", zap.String("url", "http://"+listener.Addr().String()+"/debug/sampling"))
	return d, nil
}

func (d *debugServer) stop(ctx context.Context) error {
	if d == nil {
		return nil
	}
	err := d.server.Shutdown(ctx)
	d.serving.Wait()
	return err
}

// debugView is what the endpoint answers, as JSON or as a page.
type debugView struct {
	Component component.ID `json:"component"`
	Trace     *traceView   `json:"trace,omitempty"`
	Policies  []policyView `json:"policies"`
	Rates     []rateView   `json:"rates,omitempty"`
	Spans     balanceView  `json:"spans"`
}

type traceView struct {
	TraceID     string  `json:"trace_id"`
	State       string  `json:"state"`
	Explanation string  `json:"explanation"`
	Policy      string  `json:"policy,omitempty"`
	Probability float64 `json:"probability,omitempty"`
	Spans       int     `json:"spans"` // open: received; decided: still in the buffer
	AgeSeconds  float64 `json:"age_seconds,omitempty"`
	DueSeconds  float64 `json:"due_in_seconds,omitempty"`
	DurationMS  float64 `json:"trace_duration_ms,omitempty"`
	Bytes       uint64  `json:"bytes,omitempty"`
	RootSeen    *bool   `json:"root_seen,omitempty"` // of an open trace
	CanRescue   bool    `json:"can_be_rescued"`
}

// rateView is what an adaptive rule has found for one of its busiest keys.
type rateView struct {
	Rule            string  `json:"rule"`
	Key             string  `json:"key"`
	Probability     float64 `json:"probability"`
	TracesPerSecond float64 `json:"traces_per_second"`
}

// busiest is how many keys of a rule are shown.
const busiest = 20

// balanceView: received + recovered + rescued = kept + dropped + failed + held.
type balanceView struct {
	Received  uint64 `json:"received"`
	Recovered uint64 `json:"recovered"`
	Rescued   uint64 `json:"rescued"`
	Kept      uint64 `json:"kept"`
	Dropped   uint64 `json:"dropped"`
	Failed    uint64 `json:"failed"`
	Held      int64  `json:"held"`
}

// Root says in words whether the root of an open trace was seen.
func (v *traceView) Root() string {
	if *v.RootSeen {
		return "root seen"
	}
	return "root not seen yet"
}

type policyView struct {
	Name       string `json:"name"`
	Type       string `json:"type"`
	DryRun     bool   `json:"dry_run,omitempty"`
	Sampled    uint64 `json:"sampled_traces"`
	NotSampled uint64 `json:"not_sampled_traces"`
	Dropped    uint64 `json:"dropped_traces"`
	Errors     uint64 `json:"errors"`
	LastError  string `json:"last_error,omitempty"`
}

func (d *debugServer) show(w http.ResponseWriter, r *http.Request) {
	view := d.view()
	if text := r.URL.Query().Get("trace_id"); text != "" {
		id, err := parseTraceID(text)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		view.Trace = d.trace(id)
	}
	if wantsPage(r) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if err := debugPage.Execute(w, view); err != nil {
			d.sampler.logger.Debug("debug page", zap.Error(err))
		}
		return
	}
	writeJSON(w, view)
}

func wantsPage(r *http.Request) bool { return strings.Contains(r.Header.Get("Accept"), "text/html") }

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // an error says that the client is gone: nobody to tell
}

// rescue keeps a trace after all. A page of somebody else that a browser shows may not ask for it.
func (d *debugServer) rescue(w http.ResponseWriter, r *http.Request) {
	if err := http.NewCrossOriginProtection().Check(r); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	id, err := parseTraceID(r.URL.Query().Get("trace_id"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if d.sampler.Fate(id) == tracefate.Kept {
		http.Error(w, "the trace was kept already", http.StatusConflict)
		return
	}
	if !d.sampler.rescue(id) {
		http.Error(w, "no span of the trace is in the buffer any more", http.StatusNotFound)
		return
	}
	if wantsPage(r) {
		http.Redirect(w, r, r.URL.String(), http.StatusSeeOther)
		return
	}
	w.WriteHeader(http.StatusAccepted)
	writeJSON(w, d.trace(id))
}

func parseTraceID(text string) (id [16]byte, err error) {
	if len(text) != 32 {
		return id, fmt.Errorf("trace_id: want 32 hexadecimal digits, got %q", text)
	}
	if _, err := hex.Decode(id[:], []byte(text)); err != nil {
		return id, fmt.Errorf("trace_id: want 32 hexadecimal digits, got %q", text)
	}
	return id, nil
}

func (d *debugServer) trace(id [16]byte) *traceView {
	l := d.sampler.laneOf(id)
	if l.lock() != nil {
		return &traceView{TraceID: hex.EncodeToString(id[:]), State: engine.StateUnknown, Explanation: errEnded.Error()}
	}
	x := l.shard.Explain(d.sampler.now(), id)
	view, giveBack := l.borrow()
	l.mu.Unlock()
	v := &traceView{
		TraceID: hex.EncodeToString(id[:]), State: x.State, Spans: x.Spans, Bytes: x.Bytes,
		AgeSeconds: x.Age.Seconds(), Policy: x.Policy, DurationMS: float64(x.Duration) / float64(time.Millisecond),
	}
	if x.State == engine.StateOpen {
		v.DueSeconds, v.RootSeen = x.Deadline.Seconds(), &x.Root
	} else {
		v.Spans = len(view.Find(id))
	}
	giveBack()
	if x.HasTh {
		v.Probability = probability.Threshold(x.Threshold).Probability()
	}
	v.CanRescue = x.State != engine.StateKept && v.Spans > 0
	v.Explanation = explain(x, v.Spans)
	return v
}

func explain(x engine.Explanation, readable int) string {
	when := ""
	if x.SinceOK {
		when = fmt.Sprintf(" %s ago", x.Since.Round(time.Second))
	}
	switch {
	case x.State == engine.StateOpen:
		return fmt.Sprintf("open: %d spans so far, decided in %s", x.Spans, x.Deadline.Round(100*time.Millisecond))
	case x.State == engine.StateKept && x.Policy != "":
		return fmt.Sprintf("kept%s by policy %s", when, x.Policy)
	case x.State == engine.StateKept:
		return "kept" + when
	case x.State == engine.StateDropped && readable > 0:
		return fmt.Sprintf("dropped%s: no policy sampled it, or a drop policy matched; %d spans can still be rescued", when, readable)
	case x.State == engine.StateDropped:
		return fmt.Sprintf("dropped%s: no policy sampled it, or a drop policy matched", when)
	case readable > 0:
		return "decided so long ago that the decision is forgotten; its spans are still in the buffer"
	}
	return "never seen, or decided so long ago that it is forgotten"
}

func (d *debugServer) view() *debugView {
	p := d.sampler
	v := &debugView{Component: p.set.ID}
	for s := range p.telemetry.currentProgram().Stats {
		view := policyView{
			Name: s.Name, Type: string(s.Type), DryRun: s.DryRun, Errors: s.Errors,
			Sampled: s.Counts[policy.Sampled].Traces, NotSampled: s.Counts[policy.NotSampled].Traces,
			Dropped: s.Counts[policy.Dropped].Traces,
		}
		if s.LastError != nil {
			view.LastError = s.LastError.Error()
		}
		v.Policies = append(v.Policies, view)
	}
	for rule, sampler := range p.telemetry.currentProgram().Samplers {
		for _, k := range sampler.Top(busiest) {
			v.Rates = append(v.Rates, rateView{rule, k.Key, k.Probability, k.TracesPerSecond})
		}
	}
	sum := p.telemetry.look()
	dropped := uint64(0)
	for _, n := range sum.SpansDropped {
		dropped += n
	}
	v.Spans = balanceView{
		Received: sum.SpansIn, Recovered: sum.SpansRecovered, Rescued: sum.rescued,
		Kept: sum.delivered, Dropped: dropped, Failed: sum.failed, Held: sum.held(),
	}
	return v
}
