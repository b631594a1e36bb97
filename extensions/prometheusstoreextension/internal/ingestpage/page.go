// Package ingestpage shows what the store's writers refuse, which metrics and resources have most series, and what remote
// servers did not take: as a page for a person and as JSON for a program. It reads its sources at each request and keeps
// nothing.
package ingestpage

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tailgate-otel/tailgate/internal/promfront"
	"github.com/tailgate-otel/tailgate/internal/remotewrite"
)

// offenders is how many metrics and resources are shown.
const offenders = 20

// Sources are what the page shows.
type Sources struct {
	// Fronts are the writers by name.
	Fronts func() map[string]*promfront.Front
	// Senders are the remote-write servers by name.
	Senders map[string]*remotewrite.Sender
}

// view is the page as JSON.
type view struct {
	Writers []writer `json:"writers"`
	Remotes []remote `json:"remote_write"`
}

type writer struct {
	Name      string     `json:"name"`
	Series    int        `json:"series"`
	Metrics   []offender `json:"metrics_with_most_series"`
	Resources []offender `json:"resources_with_most_series"`
	Refused   []count    `json:"refused"`
	Examples  []example  `json:"examples"`
}

type offender struct {
	Name   string `json:"name"`
	Series int    `json:"series"`
}

type count struct {
	Metric string `json:"metric"`
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
}

type example struct {
	Seen   time.Time `json:"seen"`
	Reason string    `json:"reason"`
	Series string    `json:"series"`
	Time   time.Time `json:"time"`
	Value  string    `json:"value"` // NaN and Inf are no numbers of JSON
	Error  string    `json:"error"`
	Hint   string    `json:"hint"`
}

type remote struct {
	Name     string        `json:"name"`
	Refusals []remoteEntry `json:"refusals"`
}

type remoteEntry struct {
	Seen    time.Time `json:"seen"`
	Status  int       `json:"status"`
	Reason  string    `json:"reason"`
	Samples int       `json:"samples"`
	Series  string    `json:"series"`
	Message string    `json:"message"`
}

//go:embed page.html
var pageHTML string

var page = template.Must(template.New("ingest").Funcs(template.FuncMap{
	"clock": func(t time.Time) string { return t.UTC().Format("15:04:05") },
}).Parse(pageHTML))

// ServeHTTP answers HTML to browsers and JSON to everybody else.
func (s Sources) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := s.look()
	var body bytes.Buffer
	var err error
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		err = page.Execute(&body, v)
	} else {
		w.Header().Set("Content-Type", "application/json")
		encoder := json.NewEncoder(&body)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(v)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(body.Bytes()) // the client has gone; there is nobody to tell
}

func (s Sources) look() view {
	v := view{Writers: []writer{}, Remotes: []remote{}}
	for name, front := range s.Fronts() {
		v.Writers = append(v.Writers, look(name, front))
	}
	for name, sender := range s.Senders {
		v.Remotes = append(v.Remotes, remote{Name: name, Refusals: refusals(sender)})
	}
	slices.SortFunc(v.Writers, func(a, b writer) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(v.Remotes, func(a, b remote) int { return cmp.Compare(a.Name, b.Name) })
	return v
}

func look(name string, front *promfront.Front) writer {
	most := front.Offenders(offenders)
	w := writer{
		Name: name, Series: most.Series, Metrics: named(most.Metrics), Resources: named(most.Resources),
		Refused: []count{}, Examples: []example{},
	}
	for _, r := range front.RefusedByMetric() {
		w.Refused = append(w.Refused, count{Metric: r.Metric, Reason: r.Reason.String(), Count: r.Count})
	}
	for _, r := range front.Refused() {
		w.Examples = append(w.Examples, example{
			Seen: r.Seen, Reason: r.Reason.String(), Series: r.Series, Time: r.Time, Value: strconv.FormatFloat(r.Value, 'g', -1, 64), Error: r.Error, Hint: r.Reason.Hint(),
		})
	}
	return w
}

func named(from []promfront.Offender) []offender {
	to := make([]offender, 0, len(from))
	for _, o := range from {
		to = append(to, offender{Name: o.Name, Series: o.Series})
	}
	return to
}

func refusals(sender *remotewrite.Sender) []remoteEntry {
	entries := []remoteEntry{}
	for _, r := range sender.Refused() {
		entries = append(entries, remoteEntry{
			Seen: r.Time, Status: r.Status, Reason: r.Reason, Samples: r.Samples, Series: r.Series, Message: r.Message,
		})
	}
	return entries
}
