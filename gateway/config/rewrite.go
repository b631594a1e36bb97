package config

import (
	"errors"

	"github.com/tailgate-otel/tailgate/gateway/rewrite"
	"github.com/tailgate-otel/tailgate/gateway/route"
)

// Plan compiles what the route changes in what passes. rule is what Rules made of the route.
func (r *Route) Plan(rule route.Rule) (*rewrite.Plan, error) {
	s := rewrite.Settings{
		Route: r.Name, StripPrefix: r.StripPrefix, ReplacePrefix: r.ReplacePrefix, Path: r.Rewrite, Host: r.RewriteHost,
		Request: rewrite.Headers(r.RequestHeaders), Response: rewrite.Headers(r.ResponseHeaders),
	}
	if r.Redirect != nil {
		redirect := rewrite.Redirect(*r.Redirect)
		s.Redirect = &redirect
	}
	return rewrite.Compile(s, rule.Paths[0])
}

func checkPlan(k *checker, path string, r *Route, rule route.Rule) {
	if r.Sticky != "" && len(r.Split) == 0 {
		k.add(path+".sticky", "needs split: with one upstream all requests stay together")
	}
	if len(rule.Paths) == 0 {
		return // nothing to compare with; that is reported already
	}
	_, err := r.Plan(rule)
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return
	}
	for _, err := range joined.Unwrap() {
		var mistake *rewrite.Error
		if errors.As(err, &mistake) {
			k.add(path+"."+mistake.Key, "%s", mistake.Text)
		}
	}
}
