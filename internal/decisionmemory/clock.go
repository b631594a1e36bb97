package decisionmemory

import "time"

// A clock adds up the time that passes from call to call. A wall clock that is set back makes it stand still once,
// instead of making everything live longer by as much.
type clock struct {
	now  time.Duration
	last time.Time
}

// jitter is how far back a time may lie without counting as a clock that was set back: callers read the time before
// they wait for the shard's lock, so their times arrive slightly out of order.
const jitter = 5 * time.Second

// advance returns the time passed since the first call.
func (c *clock) advance(now time.Time) time.Duration {
	switch passed := now.Sub(c.last); {
	case c.last.IsZero(), passed < -jitter:
		c.last = now
	case passed > 0:
		c.now += passed
		c.last = now
	}
	return c.now
}
