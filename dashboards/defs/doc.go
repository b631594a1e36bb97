// Package defs holds our dashboards, one file each, written in the model and in queries over the contract. A new one is
// a function in a file of its own and a line in All; README.md in the folder above says what a panel needs.
//
// Queries are built by package query, which reports a metric, attribute or value outside the contract; All returns these
// reports. Everything here is pure: same contract, same dashboards.
package defs
