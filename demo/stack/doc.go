// Package stack runs the whole product on one machine as one foreground program: collector, gateway, demo shop and its
// customers, with their logs under prefixes, a status block fed by the store's own PromQL API, and a summary at the end
// in which the spans must balance: in = kept + dropped + held.
//
// The children are supervised by package supervise; nothing is started when a port is taken or a binary is missing, and
// nothing is left running. This package starts no goroutine of its own: one loop watches the children, the clock and the
// context. A store that does not answer leaves gaps in the status, and is an error only in the summary.
package stack
