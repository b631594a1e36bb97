//go:build !race

package h1_test

// raceEnabled: the race detector's own memory and time are in every measurement.
const raceEnabled = false
