package supervise

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
)

// maxLine is where a line without an end is cut. Longer than any log line with a stack trace in it; a child that writes
// binary data costs this much and not more.
const maxLine = 8 << 10

// lineWriter cuts what is written to it into lines, hands each to emit and remembers the last ones.
type lineWriter struct {
	emit func(line string)

	mu      sync.Mutex // guards the fields below; not held during emit
	partial []byte
	last    []string // the last tailLines lines, oldest first
	crash   string   // the line with which a Go program announced its crash; its stack may push it out of last
}

func newLineWriter(emit func(string)) *lineWriter { return &lineWriter{emit: emit} }

// Write is called from the one goroutine that copies the child's output.
func (w *lineWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		whole := i >= 0
		chunk := p
		if whole {
			chunk = p[:i]
		}
		if room := maxLine - len(w.partial); len(chunk) > room {
			chunk, whole = chunk[:room], false
		}
		w.partial = append(w.partial, chunk...)
		p = p[len(chunk):]
		if whole {
			p = p[1:]
		}
		if whole || len(w.partial) == maxLine {
			w.flushPartial()
		}
	}
	return n, nil
}

// flush hands out a last line that has no end.
func (w *lineWriter) flush() {
	if len(w.partial) > 0 {
		w.flushPartial()
	}
}

func (w *lineWriter) flushPartial() {
	line := strings.TrimRight(strings.ToValidUTF8(string(w.partial), "?"), "\r")
	w.partial = w.partial[:0]
	w.mu.Lock()
	if len(w.last) == tailLines {
		w.last = append(w.last[:0], w.last[1:]...)
	}
	w.last = append(w.last, line)
	if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
		w.crash = line
	}
	w.mu.Unlock()
	w.emit(line)
}

func (w *lineWriter) tail() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.last...)
}

// crashed returns the line that announced a crash, or "".
func (w *lineWriter) crashed() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.crash
}

// palette holds the colours of prefixes: the six that are readable on dark and on light backgrounds.
var palette = []string{"36", "33", "32", "35", "34", "31"}

// prefixer writes whole lines, each under the name of who said it, to one writer.
type prefixer struct {
	mu    sync.Mutex // guards the fields below and is held during the write, so that lines never mix
	w     io.Writer
	color bool
	width int
	hues  map[string]string
}

// enrol gives a name its colour and makes room for it; names enrolled before the first line are aligned.
func (p *prefixer) enrol(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.hues[name]; known {
		return
	}
	p.hues[name] = palette[len(p.hues)%len(palette)]
	p.width = max(p.width, len(name))
}

func (p *prefixer) line(name, text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	prefix := fmt.Sprintf("%-*s |", p.width, name)
	if p.color {
		prefix = "\x1b[" + p.hues[name] + "m" + prefix + "\x1b[0m"
	}
	// A terminal that is gone must not stop the children from being supervised.
	_, _ = io.WriteString(p.w, prefix+" "+text+"\n")
}
