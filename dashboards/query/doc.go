// Package query builds PromQL from the contract. A selector can only be made of a telemetry.Metric and its attributes, a
// histogram is read the way its kind demands (native or _bucket series), and the labels that each operator keeps are
// followed, so that a wrong name, a wrong attribute, or a sum by a label that is gone is an error of the generator and
// not an empty panel.
//
// Expressions are values. An error sticks to the expression that made it and to all that contain it; Expr.Text reports
// them together. The package keeps no state and does no I/O.
package query
