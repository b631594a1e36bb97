// Package health says how well each endpoint of an upstream does, as a score from 0 to 100, and which endpoints are used.
//
// Results of requests and of probes are counted where they happen (Endpoint.Record, one atomic addition). A Group, the
// endpoints of one upstream, folds the counts into scores ten times a second and decides for all of them together, so that
// no decision is taken under way on the half of the facts. What a balancer reads is one number, Endpoint.Share.
//
// # Score
//
// Each round moves the score towards the part of results that were good:
//
//	target = 100 x quality x good / (good + bad)      step = min(1/2, 1 - 0.9^(good + bad))
//
// A success is 1 good; a server error is 1 bad, a timeout and a reset 2, a connect error 3; a probe is 3 of either. So with
// few requests three connect errors in a row take a perfect endpoint below 40 (0.9^9 = 0.39), nine server errors do, and
// with many requests no outage counts for more than half per round: an endpoint that fails everything is ejected after two
// rounds, 200 ms. In the long run an endpoint falls below 40 when more than 60 % of its results are server errors, 43 % timeouts,
// or 33 % connect errors.
//
// Quality is 1 unless the endpoint is slow: its latency, a geometric mean with a memory of 5 s, is compared with the
// median of its peers'. Three times that is tolerated; of 6 times quality is 1/2, and above 7.5 times the score falls below
// 40. One slow answer in a thousand hardly moves a geometric mean.
//
// Without results the distance from 100 halves every 10 s: an endpoint that was ejected at 0 is tried again after 13 s. Each
// ejection that follows soon doubles the time, up to eight times. Endpoints that are probed do not heal by time: their
// probes say when they are back.
//
// # Use
//
// An endpoint is ejected below 40 and used again above 60, at first with a tenth of its requests and with all of them
// after 30 s. At most half of the endpoints are ejected, the worst first. When fewer than 30 % are healthy it is rather the
// network or what they all depend on: then all are used (panic), and no time is lost in finding out which work.
//
// # Cost
//
// Record takes 4 ns for a success and 2 for a failure, Share is one load; neither allocates (BenchmarkRecord). A round takes
// 25 us for 100 endpoints, 0.025 % of a core (BenchmarkEvaluate).
//
// # Goroutines
//
// Endpoints and groups have none and read no clock. A Keeper has one, which evaluates its groups; a Prober has one for each
// endpoint that it watches. Close joins them. When more probes are due than may run at once they wait for each other, and the
// time between the probes of an endpoint grows; nothing queues beyond that.
package health
