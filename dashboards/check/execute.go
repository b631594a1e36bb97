package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// Options say how queries are executed.
type Options struct {
	// Wait is how long to try again while panels are without data: a first rate needs two exports.
	Wait time.Duration
	// Retry is the pause between two tries; the export interval when zero, since nothing new comes sooner.
	Retry time.Duration
	// Now is the end of the range; the time of each try when zero.
	Now time.Time
}

// Empty is a panel that shows nothing, or not all that it should.
type Empty struct {
	Dashboard string `json:"dashboard"`
	Panel     string `json:"panel"`
	Reason    string `json:"reason"`
}

// Report is what executing dashboards gave. Panels without queries (rows, texts) are not counted.
type Report struct {
	Panels         int     `json:"panels"`
	PanelsWithData int     `json:"panelsWithData"`
	Queries        int     `json:"queries"`
	Empty          []Empty `json:"empty"`
}

// parallel is how many queries are under way at once: what a browser does for one page.
const parallel = 6

// Execute runs every query of the dashboards as Grafana would with all variables at All, and names each panel with a
// query that fails or returns no number. While there are any and opts.Wait has not passed, those panels are tried again.
// A dashboard that stands in both schemas is executed once, as the queries are the same; Lint has compared them.
func Execute(ctx context.Context, api *API, dashboards []Dashboard, opts Options) (Report, error) {
	deadline := time.Now().Add(opts.Wait)
	retry := cmp.Or(opts.Retry, telemetry.ExportInterval)
	for {
		report, err := executeOnce(ctx, api, once(dashboards), cmp.Or(opts.Now, time.Now()))
		if (err == nil && len(report.Empty) == 0) || !time.Now().Add(retry).Before(deadline) {
			return report, err
		}
		if err != nil && !errors.Is(err, errUnreachable) {
			return report, err
		}
		timer := time.NewTimer(retry)
		select {
		case <-ctx.Done():
			timer.Stop()
			return report, ctx.Err()
		case <-timer.C:
		}
	}
}

// once keeps one dashboard of each uid.
func once(dashboards []Dashboard) []Dashboard {
	var out []Dashboard
	for _, d := range dashboards {
		if !slices.ContainsFunc(out, func(o Dashboard) bool { return o.UID == d.UID }) {
			out = append(out, d)
		}
	}
	return out
}

// job is one query to run.
type job struct {
	panel  int // index into the report's panels
	target Target
	query  string
	step   time.Duration
	from   time.Time
}

// executeOnce runs everything a single time.
func executeOnce(ctx context.Context, api *API, dashboards []Dashboard, now time.Time) (Report, error) {
	report := Report{Empty: []Empty{}}
	for _, d := range dashboards {
		from := now.Add(-span(d.From))
		values, problem, err := resolve(ctx, api, d, from, now)
		if err != nil {
			return report, err
		}
		panels, jobs := plan(d, values, from, now)
		report.Panels += len(panels)
		report.Queries += len(jobs)
		reasons, err := runJobs(ctx, api, jobs, len(panels), now)
		if err != nil {
			return report, err
		}
		for i, p := range panels {
			if reasons[i] == "" {
				report.PanelsWithData++
				continue
			}
			if problem != "" {
				reasons[i] += "; " + problem
			}
			report.Empty = append(report.Empty, Empty{Dashboard: d.Title, Panel: p.Title, Reason: reasons[i]})
		}
	}
	return report, nil
}

// plan lists the panels that have queries, and the queries as they are sent.
func plan(d Dashboard, values map[string]string, from, now time.Time) ([]Panel, []job) {
	var panels []Panel
	var jobs []job
	for _, p := range d.Panels {
		if len(p.Targets) == 0 {
			continue
		}
		interval, err := time.ParseDuration(p.Interval)
		if err != nil || interval <= 0 {
			interval = telemetry.ExportInterval
		}
		step := max(interval, (now.Sub(from) / maxPoints).Round(time.Second))
		static := builtins(step, interval, now.Sub(from))
		for _, t := range p.Targets {
			if t.Hidden {
				continue
			}
			query := substitute(t.Expr, func(name string) string { return cmp.Or(static[name], values[name]) })
			jobs = append(jobs, job{panel: len(panels), target: t, query: query, step: step, from: from})
		}
		panels = append(panels, p)
	}
	return panels, jobs
}

// maxPoints is about one point for two pixels of a wide panel.
const maxPoints = 1000

// runJobs runs the queries and returns, for each panel, why it is without data, or "".
func runJobs(ctx context.Context, api *API, jobs []job, panels int, now time.Time) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	why := make([]string, len(jobs))
	var wg sync.WaitGroup
	var mu sync.Mutex // guards failed
	var failed error
	slots := make(chan struct{}, parallel) // a token for each query under way
	for i, j := range jobs {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			reason, err := j.run(ctx, api, now)
			why[i] = reason
			if err != nil {
				mu.Lock()
				failed = cmp.Or(failed, err)
				mu.Unlock()
				cancel()
			}
		})
	}
	wg.Wait()
	reasons := make([][]string, panels)
	for i, j := range jobs {
		if why[i] != "" {
			reasons[j.panel] = append(reasons[j.panel], fmt.Sprintf("query %s %s", j.target.Ref, why[i]))
		}
	}
	out := make([]string, panels)
	for i, r := range reasons {
		out[i] = strings.Join(r, "; ")
	}
	return out, failed
}

// run executes the query. The error is for a server that cannot be reached; what the server says is a reason.
func (j job) run(ctx context.Context, api *API, now time.Time) (reason string, err error) {
	var c counted
	if j.target.Instant {
		c, err = api.query(ctx, j.query, now)
	} else {
		c, err = api.queryRange(ctx, j.query, j.from, now, j.step)
	}
	if errors.Is(err, errUnreachable) {
		return "was not answered", err
	}
	return c.why(err), nil
}

// why says what is missing in a result, or "".
func (c counted) why(err error) string {
	switch {
	case err != nil:
		return "failed: " + err.Error()
	case c.Series == 0:
		return "returned no series"
	case c.Finite == 0:
		return fmt.Sprintf("returned %d series and not one number (division by zero, or nothing observed in the window)", c.Series)
	}
	return ""
}

// resolve finds the value of each variable when all is chosen, in order, so that later ones can use earlier ones. What
// stays empty is described in problem: it is why every panel is empty.
func resolve(ctx context.Context, api *API, d Dashboard, from, now time.Time) (values map[string]string, problem string, err error) {
	values = map[string]string{}
	for _, v := range d.Variables {
		if v.Type != "query" {
			continue
		}
		query := substitute(v.Query, func(name string) string { return values[name] })
		selector, label, ok := parseLabelValues(query)
		if !ok {
			return nil, "", fmt.Errorf("%s: variable %s: only label_values(selector, label) is understood, not %s", d.File, v.Name, v.Query)
		}
		found, err := api.labelValues(ctx, selector, label, from, now)
		if err != nil {
			return nil, "", fmt.Errorf("%s: variable %s: %w", d.File, v.Name, err)
		}
		if len(found) == 0 && problem == "" {
			problem = fmt.Sprintf("variable %s has no values, as there is no series %s with label %s", v.Name, selector, label)
		}
		values[v.Name] = cmp.Or(v.AllValue, alternatives(found))
	}
	return values, problem, nil
}

// alternatives writes values as Grafana does inside a regular expression within a PromQL string.
func alternatives(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(regexp.QuoteMeta(v))
	}
	if len(quoted) == 1 {
		return quoted[0]
	}
	return "(" + strings.Join(quoted, "|") + ")"
}

// defaultSpan is the range of a dashboard that names none.
const defaultSpan = 15 * time.Minute

// span reads the range that a dashboard shows at first: now-15m.
func span(from string) time.Duration {
	if d, err := time.ParseDuration(strings.TrimPrefix(from, "now-")); err == nil && d > 0 {
		return d
	}
	return defaultSpan
}
