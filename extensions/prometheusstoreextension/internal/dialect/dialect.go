// Package dialect is the PromQL that the store speaks: that of a stock server without feature flags. Queries, rules,
// federation and the API must parse alike.
package dialect

import "github.com/prometheus/prometheus/promql/parser"

// Parser returns a parser for the store's PromQL. A stock server of release 3.14 has arithmetic in durations on.
func Parser() parser.Parser {
	return parser.NewParser(parser.Options{ExperimentalDurationExpr: true})
}
