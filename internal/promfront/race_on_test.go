//go:build race

package promfront_test

const raceEnabled = true
