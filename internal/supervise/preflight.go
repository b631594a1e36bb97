package supervise

import (
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"
)

// maxPortsNamed bounds the length of the one line about ports: when a whole second instance runs, its first ports tell.
const maxPortsNamed = 3

// Preflight reports why the children could not be started: a missing binary, a port that two of them want, a port that
// somebody else holds (and who, where the system tells). It starts nothing.
func Preflight(children ...Child) error {
	for _, c := range children {
		if _, err := exec.LookPath(c.Path); err != nil {
			return missingBinary(c, err)
		}
	}
	owner := make(map[string]string)
	var busy []string
	for _, c := range children {
		for _, port := range c.Ports {
			if other, dup := owner[port.Addr]; dup {
				return fmt.Errorf("%s is wanted by both %s and %s: give one of them another port", port.Addr, other, c.Name)
			}
			owner[port.Addr] = c.Name
			text, err := portBusy(c.Name, port)
			if err != nil {
				return err
			}
			if text != "" {
				busy = append(busy, text)
			}
		}
	}
	if len(busy) == 0 {
		return nil
	}
	if more := len(busy) - maxPortsNamed; more > 0 {
		busy = append(busy[:maxPortsNamed], fmt.Sprintf("and %d more", more))
	}
	return &PortError{text: strings.Join(busy, "; ") + ": stop what holds it, then start again"}
}

// PortError says that a port is taken, in one line.
type PortError struct{ text string }

func (e *PortError) Error() string { return e.text }

func missingBinary(c Child, err error) error {
	if c.MakeTarget != "" {
		return fmt.Errorf("%s: no executable %s: run `make %s` first: %w", c.Name, c.Path, c.MakeTarget, err)
	}
	return fmt.Errorf("%s: no executable %s: %w", c.Name, c.Path, err)
}

// portBusy describes who holds the port; it is empty when the port is free.
func portBusy(child string, port Port) (string, error) {
	l, err := net.Listen("tcp", port.Addr)
	if err == nil {
		return "", l.Close()
	}
	use := child
	if port.Use != "" {
		use += ", " + port.Use
	}
	if !errors.Is(err, syscall.EADDRINUSE) {
		return "", fmt.Errorf("port check for %s (%s): %w", port.Addr, use, err)
	}
	holder := ""
	if h, ok := portHolder(port.Addr); ok {
		holder = fmt.Sprintf(" by %s (pid %d)", h.name, h.pid)
	}
	return fmt.Sprintf("port %s, which %s needs, is in use%s", port.Addr, use, holder), nil
}

// holder is the process that listens on a port.
type holder struct {
	name string
	pid  int
}
