// Package demo holds the faults that the demo shop has when it is told nothing else.
//
// The shop is in package shop, what goes wrong in package fault, the traffic in package load, and the program that runs
// everything together with collector and gateway in package stack.
package demo

import _ "embed"

// FaultsYAML is the shipped demo/faults.yaml.
//
//go:embed faults.yaml
var FaultsYAML []byte
