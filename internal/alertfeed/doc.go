// Package alertfeed is the border between a component that evaluates alerting rules (an extension) and those that want
// to know when an alert begins to fire or ends: a receiver that makes log records, a webhook.
//
// A rule manager repeats every firing alert about once a minute and every resolved one for a quarter of an hour. The Feed
// turns that into changes: one event when an alert begins to fire, one when it ends. It leaves to others: evaluating
// rules, relabelling alerts, and delivering events anywhere.
//
// Ownership: the extension makes the Feed and calls Report and Lapse; the package starts no goroutine. A subscriber owns
// its Subscription and ends it with Close. Events are values; labels in them are shared and never modified.
//
// Overload: nobody waits for a subscriber. Each has a queue of its own; when that is full the oldest event is dropped and
// counted, because the newest says how things stand. The Feed remembers at most as many firing alerts as it was made
// for; further ones are not announced, and counted, until some of those have ended.
package alertfeed
