package engine

// account adds a span to the size of its trace as contrib counts it: contrib cuts each ResourceSpans of a request into
// one of its own per trace, and adds up the sizes of those, without schema URLs.
func (s *Shard) account(e *entry, f *Fragment, spanSize int) {
	before := e.fragmentSize
	if e.fragment != f.ID {
		e.fragment, e.scope = f.ID, f.Index+1
		e.scopeSize = uint32(fieldSize(f.Scope.Size))
		e.fragmentSize = uint32(fieldSize(f.ResourceSize))
		e.fragmentSize += uint32(fieldSize(int(e.scopeSize)))
		before = 0
	} else if e.scope != f.Index+1 {
		e.scope = f.Index + 1
		e.scopeSize = uint32(fieldSize(f.Scope.Size))
		e.fragmentSize += uint32(fieldSize(int(e.scopeSize)))
	}
	was := fieldSize(int(e.scopeSize))
	e.scopeSize += uint32(fieldSize(spanSize))
	e.fragmentSize += uint32(fieldSize(int(e.scopeSize)) - was)
	e.facts.Bytes += uint64(e.fragmentSize - before)
	e.facts.Overhead += uint32(overhead(int(e.fragmentSize)) - overhead(int(before)))
}

// fieldSize is the size of a length-delimited protobuf field with a one byte tag.
func fieldSize(n int) int {
	size := 1 + n
	for v := uint(n); ; v >>= 7 {
		size++
		if v < 0x80 {
			return size
		}
	}
}

// overhead is what a message of n bytes costs more as a field; nothing, if there is no message.
func overhead(n int) int {
	if n == 0 {
		return 0
	}
	return fieldSize(n) - n
}
