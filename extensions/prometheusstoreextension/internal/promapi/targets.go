package promapi

import (
	"context"
	"maps"
	"net/http"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/config"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/scrape"
	v1 "github.com/prometheus/prometheus/web/api/v1"
)

// pseudoTarget makes the metadata of pushed metrics visible to upstream's handlers, which read scrape targets only. It
// shows itself to the metadata routes and to no other, so that /targets stays the truth.
type pseudoTarget struct {
	Targets
	pushed *scrape.Target
}

func newPseudoTarget(store scrape.MetricMetadataStore, real Targets) *pseudoTarget {
	target := scrape.NewTarget(labels.FromStrings(model.JobLabel, "pushed"), &config.ScrapeConfig{}, nil, nil)
	target.SetMetadataStore(store)
	return &pseudoTarget{Targets: real, pushed: target}
}

type metadataRequest struct{}

// mark remembers in the context that a request asks for metadata; retriever gets nothing but the context.
func (*pseudoTarget) mark(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == Prefix+"/metadata" || r.URL.Path == Prefix+"/targets/metadata" {
			r = r.WithContext(context.WithValue(r.Context(), metadataRequest{}, true))
		}
		next.ServeHTTP(w, r)
	})
}

func (p *pseudoTarget) retriever(ctx context.Context) v1.TargetRetriever {
	if ctx.Value(metadataRequest{}) != nil {
		return p
	}
	return p.Targets
}

// TargetsActive adds the pseudo target to what is scraped.
func (p *pseudoTarget) TargetsActive() map[string][]*scrape.Target {
	active := maps.Clone(p.Targets.TargetsActive())
	if active == nil {
		active = map[string][]*scrape.Target{}
	}
	active["pushed"] = append([]*scrape.Target{p.pushed}, active["pushed"]...)
	return active
}
