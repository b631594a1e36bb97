// Package model is what a dashboard is, as plain data: rows of panels of a closed list of kinds, with queries, variables,
// links, thresholds and units. It knows nothing of any dashboard schema; the emitters (dashboards/emit) turn it into JSON.
//
// Two things that generators usually leave to chance are explicit here: panel ids, so that a link to a panel survives
// an edit of another one, and places on the grid, which Layout computes without ever passing column 24.
//
// The package holds data and pure functions; it starts nothing and keeps no state.
package model
