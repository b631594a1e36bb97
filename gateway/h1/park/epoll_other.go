//go:build !linux

package park

// poller can park nothing: owners wait on their goroutines.
type poller struct{ closed chan struct{} }

func (p *poller) open() error   { p.closed = make(chan struct{}); return nil }
func (*poller) arm(*Spot) error { return ErrUnsupported }
func (*poller) disarm(*Spot)    {}
func (p *poller) close()        { close(p.closed) }

func (l *Lot) run() {
	defer close(l.done)
	<-l.poller.closed
}
