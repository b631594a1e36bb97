// Package e2e runs the built programs together, as a user does, and asks their real APIs what became of a known number
// of requests with known faults. It has no code but tests; they need what `make build` leaves in dist/.
package e2e
