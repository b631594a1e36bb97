package tracelog

import (
	"fmt"
	"slices"

	"github.com/tailgate-otel/tailgate/internal/otlpwire"
)

// Trace is one trace of a View, to be turned back into OTLP.
type Trace struct {
	ID   [16]byte
	Head Pos // its newest record
}

// Positions appends the places of the trace's records, oldest first. A chain that leads to a segment that is gone ends
// there, with an error.
func (v View) Positions(dst []Pos, t Trace) ([]Pos, error) {
	start := len(dst)
	var err error
	for pos := t.Head; pos != 0; {
		var h spanHead
		if _, h, err = v.head(pos); err != nil {
			break
		}
		if h.prev >= pos {
			err = fmt.Errorf("%w: %s follows itself", ErrCorrupt, pos)
			break
		}
		dst = append(dst, pos)
		pos = h.prev
	}
	slices.Reverse(dst[start:])
	return dst, err
}

// ErrGone is returned for a record whose segment was reclaimed.
var ErrGone = fmt.Errorf("segment reclaimed")

func (v View) head(pos Pos) (reader, spanHead, error) {
	s := v.segment(pos.Seq())
	if s == nil {
		return reader{}, spanHead{}, fmt.Errorf("%w: %s", ErrGone, pos)
	}
	r, err := record(s.mem, pos.off(), spanRecord)
	if err != nil {
		return reader{}, spanHead{}, err
	}
	h := r.spanHead(pos)
	if r.bad || s.checked && checkOf(s.mem, pos.off()) != checksum(spanRecord, s.mem[pos.off()+recordHeader:r.end]) {
		return r, h, fmt.Errorf("%w: %s", ErrCorrupt, pos)
	}
	return r, h, nil
}

// AppendOTLP appends the spans at positions (of one trace, oldest first) as the ResourceSpans fields of a TracesData
// message; several traces may follow each other in one message. Spans that came one after the other with the same
// resource and scope share them. Spans that cannot be read are left out and counted.
func (v View) AppendOTLP(dst []byte, id [16]byte, positions []Pos) (out []byte, n Written) {
	w := writer{dst: dst}
	for _, pos := range positions {
		r, h, err := v.head(pos)
		if err == nil {
			err = w.owners(r.mem, pos.Seq(), h.scope)
		}
		if err != nil {
			n.Unreadable++
			continue
		}
		before := len(w.dst)
		w.dst = r.span(w.dst, h, id)
		if r.bad {
			w.dst = w.dst[:before]
			n.Unreadable++
		}
	}
	w.closeResource()
	n.Resources = w.resources
	return w.dst, n
}

// Written is what AppendOTLP has written, and could not read.
type Written struct {
	Resources  int // ResourceSpans
	Unreadable int // spans
}

// writer keeps the ResourceSpans and ScopeSpans that are being written open for the next span.
type writer struct {
	dst             []byte
	seq             uint32
	resource, scope int // offsets of their records; 0: none open
	resourceStart   otlpwire.Mark
	scopeStart      otlpwire.Mark
	resources       int // written so far
}

// owners makes the scope at off, and its resource, the open ones.
func (w *writer) owners(mem []byte, seq uint32, off uint64) error {
	if w.scope != 0 && w.seq == seq && uint64(w.scope) == off {
		return nil
	}
	if off >= uint64(len(mem)) {
		return fmt.Errorf("%w: scope at %d", ErrCorrupt, off)
	}
	resource, err := scopeResource(mem, int(off))
	if err != nil {
		return err
	}
	if w.resource == 0 || w.seq != seq || w.resource != resource {
		w.closeResource()
		mark := len(w.dst)
		w.dst, w.resourceStart = otlpwire.Begin(w.dst, otlpwire.RequestResourceSpans, 1000)
		if w.dst, err = appendResource(w.dst, mem, resource); err != nil {
			w.dst = w.dst[:mark]
			return err
		}
		w.resource, w.seq = resource, seq
		w.resources++
	}
	w.closeScope()
	mark := len(w.dst)
	w.dst, w.scopeStart = otlpwire.Begin(w.dst, otlpwire.ResourceSpansScopes, 1000)
	if w.dst, err = appendScope(w.dst, mem, int(off)); err != nil {
		w.dst = w.dst[:mark]
		return err
	}
	w.scope = int(off)
	return nil
}

func (w *writer) closeScope() {
	if w.scope != 0 {
		w.dst, w.scope = otlpwire.End(w.dst, w.scopeStart), 0
	}
}

func (w *writer) closeResource() {
	w.closeScope()
	if w.resource != 0 {
		w.dst, w.resource = otlpwire.End(w.dst, w.resourceStart), 0
	}
}

// Find returns the records of a trace that the view holds, oldest first, whether or not anyone knows its newest one. It
// reads the heads of all records: about 100 µs per segment.
func (v View) Find(id [16]byte) []Pos {
	var found []Pos
	for i, s := range v.segments {
		end := v.end
		if i < len(v.segments)-1 {
			end = s.end
		}
		var last Pos // the trace's newest record in the segment
		for off := segmentHeader; off < end; {
			kind, body, ok := header(s.mem, off)
			if !ok {
				break
			}
			if kind == spanRecord {
				r := reader{mem: s.mem, p: off + recordHeader, end: off + recordHeader + len(body)}
				pos := at(s.seq, off)
				h := r.spanHead(pos)
				if !r.bad && (h.flags&hasTraceID != 0 && h.id == id || h.flags&hasTraceID == 0 && last != 0 && h.prev == last) {
					last = pos
					found = append(found, pos)
				}
			}
			off += recordHeader + len(body)
		}
	}
	return found
}
