package h1

import (
	"net/http"
	"sync/atomic"
	"time"
)

// dateClock keeps the text of the Date header for the second it is valid.
type dateClock struct{ current atomic.Pointer[stamp] }

type stamp struct {
	second int64
	text   string
}

// at answers the time as HTTP writes it.
func (d *dateClock) at(now time.Time) string {
	second := now.Unix()
	if s := d.current.Load(); s != nil && s.second == second {
		return s.text
	}
	s := &stamp{second, now.UTC().Format(http.TimeFormat)}
	d.current.Store(s)
	return s.text
}
