// Package load sends the demo shop the traffic of its customers: journeys of several requests, begun at a steady rate
// whatever the shop's answers take (an open loop, so that a slow shop does not slow down its own measurement).
//
// It only counts; nothing is stored per request. Every run is bounded by a duration or a number of requests. Latency is
// measured from the moment a request is sent; Late counts the requests that could not be sent in time because all of
// Concurrency were in flight, and MaxLate says by how much.
//
// Goroutines: Concurrency workers, all gone when Run returns. Run stops sending when its context ends and then waits for
// the answers that are under way, so that its counts equal what the other side has counted.
package load
