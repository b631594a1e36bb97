//go:build !race

package promfront_test

const raceEnabled = false
