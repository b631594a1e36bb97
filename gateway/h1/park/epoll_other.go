//go:build !linux

package park

// poller can park nothing: owners wait on their goroutines.
type poller struct{}

func (poller) open() error     { return ErrUnsupported }
func (poller) arm(*Spot) error { return ErrUnsupported }
func (poller) disarm(*Spot)    {}
func (poller) close()          {}
func (*Lot) run()              {}
