//go:build !linux

package h1

import "net"

// watch knows nothing here: a connection that the peer has closed shows in use, and the request is sent again.
type watch struct{}

func (*watch) init(net.Conn) {}

func (*watch) look() (readable, gone bool) { return false, false }
