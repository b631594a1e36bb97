package tracelog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// formerLog writes traces and notes and returns the segments as a killed process leaves them.
func formerLog(t testing.TB, seed uint64) []Former {
	t.Helper()
	g := &generator{rand.New(rand.NewPCG(seed, 7))}
	l := New(Settings{Store: &heap{}, Marker: marks{}, SegmentSize: 8 << 10, Checksums: true})
	heads := map[pcommon.TraceID]Pos{}
	var order []pcommon.TraceID
	for i := range 3 {
		appendAll(t, l, g.traces(), heads, &order)
		for _, id := range order {
			if err := l.AppendNote(1, Note{ID: id, What: byte(i), Data: uint64(heads[id])}); err != nil {
				t.Fatal(err)
			}
		}
	}
	var former []Former
	for _, s := range l.segments {
		former = append(former, Former{Seq: uint64(s.seq), Mem: s.mem})
	}
	return former
}

func scanAll(f Former) (found []Record, torn int) {
	torn = Scan(f, 0, func(r Record) { found = append(found, r) })
	return found, torn
}

// Ways to damage a segment.
const (
	flip     = iota
	garbage  // 16 bytes
	zeroPage // the rest of a block of 512 bytes
	truncate
	forge // change a byte of a record and make its checksum right
	damages
)

// damage changes mem at off (any number) and returns it, and the first byte that is not what it was.
func damage(mem []byte, how byte, off uint32, value byte) (out []byte, first int) {
	if len(mem) == 0 {
		return mem, 0
	}
	at := int(off) % len(mem)
	switch how % damages {
	case flip:
		mem[at] ^= value | 1
	case garbage:
		random := rand.New(rand.NewPCG(uint64(off), uint64(value)))
		for i := at; i < min(at+16, len(mem)); i++ {
			mem[i] = byte(random.Uint32())
		}
	case zeroPage:
		clear(mem[at:min(at|511+1, len(mem))])
	case truncate:
		mem = mem[:at]
	case forge:
		return mem, forgeAt(mem, at, value)
	}
	return mem, at
}

// forgeAt changes a byte of the record around at, if there is one.
func forgeAt(mem []byte, at int, value byte) int {
	for off := segmentHeader; ; {
		kind, body, ok := header(mem, off)
		if !ok {
			return len(mem)
		}
		if next := off + recordHeader + len(body); at < next {
			body[max(0, at-off-recordHeader)] ^= value | 1
			putRecordHeader(mem, off, len(body), kind, checksum(kind, body))
			return off
		} else {
			off = next
		}
	}
}

// readEverything does with damaged segments all that a log's owner does, and expects no more than to come back. Every
// record found must be one that can be asked for.
func readEverything(t testing.TB, segments []Former) {
	t.Helper()
	store := &heap{}
	l := New(Settings{Store: store, Marker: marks{}, SegmentSize: 8 << 10, Checksums: true})
	for _, f := range segments {
		store.used += len(f.Mem)
	}
	adopted, damaged := l.Adopt(segments)
	if damaged > len(segments)-len(adopted) {
		t.Fatalf("%d of %d segments damaged, but %d adopted", damaged, len(segments), len(adopted))
	}
	view := l.View()
	var last Pos
	searches := 0
	for _, f := range adopted {
		found, torn := scanAll(f)
		if torn != 0 && (torn < segmentHeader || torn >= len(f.Mem)) {
			t.Fatalf("torn at %d of %d", torn, len(f.Mem))
		}
		for _, r := range found {
			if r.Pos <= last || r.Prev >= r.Pos {
				t.Fatalf("record %s after %s, its trace's previous one is %s", r.Pos, last, r.Prev)
			}
			last = r.Pos
			if r.Note == nil {
				searches++
				readTrace(t, view, r, r.HasID && searches < 5) // a search reads everything
			}
		}
	}
	if _, err := l.Append(1, oneScope(), last, ptrace.NewSpan()); err != nil {
		t.Fatalf("the log does not go on: %v", err)
	}
	l.Close()
	if store.used != 0 {
		t.Fatalf("%d bytes were not given back", store.used)
	}
}

func oneScope() *Scope {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	sums := NewSums()
	r := sums.Resource(rs)
	s := sums.Scope(&r, rs.ScopeSpans().AppendEmpty())
	return &s
}

func readTrace(t testing.TB, view View, r Record, search bool) {
	t.Helper()
	positions, err := view.Positions(nil, Trace{ID: r.ID, Head: r.Pos})
	if len(positions) == 0 {
		t.Fatalf("%s was found and is not there: %v", r.Pos, err)
	}
	if search {
		positions = append(positions, view.Find(r.ID)...)
	}
	out, n := view.AppendOTLP(nil, r.ID, positions)
	td, err := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(out)
	if err == nil && td.SpanCount() != len(positions)-n.Unreadable {
		t.Fatalf("%d spans of %d records with %d unreadable", td.SpanCount(), len(positions), n.Unreadable)
	}
}

// What was written before the first damaged byte is found, whatever comes behind it; a damaged byte is found out, unless
// it is in nothing that was written or one of the 1 in 256 that a checksum does not see.
func TestScanDamaged(t *testing.T) {
	rounds := 2000
	if testing.Short() {
		rounds = 200
	}
	var logs [8][]Former
	for i := range logs {
		logs[i] = formerLog(t, uint64(i))
	}
	unseen := 0
	for seed := range uint64(rounds) {
		random := rand.New(rand.NewPCG(seed, 1))
		former := slices.Clone(logs[seed%8])
		for i := range former {
			former[i].Mem = bytes.Clone(former[i].Mem)
		}
		n := random.IntN(len(former))
		whole, _ := scanAll(former[n])
		mem, first := damage(former[n].Mem, byte(seed%damages), random.Uint32(), byte(random.Uint32()))
		former[n].Mem = mem
		found, torn := scanAll(former[n])
		before := 0
		for before < len(whole) && end64(former[n].Mem, whole[before].Pos) <= first && first >= segmentHeader {
			before++
		}
		if len(found) < before {
			t.Fatalf("seed %d: damaged at %d, found %d of the %d records before", seed, first, len(found), before)
		}
		for i, r := range found[:before] {
			if r.Pos != whole[i].Pos || r.ID != whole[i].ID || r.Prev != whole[i].Prev {
				t.Fatalf("seed %d: record %d is %+v, was %+v", seed, i, r, whole[i])
			}
		}
		if how := seed % damages; how == flip && torn == 0 && len(found) == len(whole) && before < len(whole) && first >= segmentHeader {
			unseen++
		}
		if seed%4 == 0 {
			readEverything(t, former)
		}
	}
	if unseen > rounds/damages/50 { // 1 in 256, and flips that the space between the last record and the end swallows
		t.Errorf("%d flipped bytes were not seen", unseen)
	}
}

// end64 is the offset behind the record at pos, or beyond everything when that is not there any more.
func end64(mem []byte, pos Pos) int {
	_, body, ok := header(mem, pos.off())
	if !ok {
		return len(mem) + 1
	}
	return pos.off() + recordHeader + len(body)
}

// A file of any other kind is no segment, and takes nothing with it.
func TestAdoptForeign(t *testing.T) {
	other := formerLog(t, 1)[0]
	wrong := func(change func(mem []byte)) Former {
		mem := bytes.Clone(other.Mem)
		change(mem)
		return Former{Seq: other.Seq, Mem: mem}
	}
	for _, c := range []struct {
		name    string
		former  Former
		adopted bool
		damaged int
	}{
		{"one of its own", wrong(func([]byte) {}), true, 0},
		{"text", Former{Seq: 1, Mem: bytes.Repeat([]byte("hello "), 700)}, false, 1},
		{"empty", Former{Seq: 1}, false, 1},
		{"header cut off", Former{Seq: 1, Mem: other.Mem[:segmentHeader-1]}, false, 1},
		{"not begun", Former{Seq: 1, Mem: make([]byte, os.Getpagesize())}, false, 0},
		{"killed while it began", wrong(func(mem []byte) { clear(mem[segmentHeader:]); clear(mem[:6]) }), false, 0},
		{"header zeroed", wrong(func(mem []byte) { clear(mem[:segmentHeader]) }), false, 1},
		{"of a later format", wrong(func(mem []byte) { mem[5]++ }), false, 1},
		{"of another lane", wrong(func(mem []byte) { mem[6]++ }), false, 1},
		{"of another number", Former{Seq: other.Seq + 1, Mem: other.Mem}, false, 1},
		{"of a number without end", Former{Seq: 1<<32 - 1, Mem: wrong(func(mem []byte) {
			binary.LittleEndian.PutUint32(mem[8:], 1<<32-1)
		}).Mem}, false, 1},
	} {
		store := &heap{used: len(c.former.Mem)}
		l := New(Settings{Store: store, Marker: marks{}, SegmentSize: 8 << 10})
		adopted, damaged := l.Adopt([]Former{c.former})
		if (len(adopted) == 1) != c.adopted || damaged != c.damaged {
			t.Errorf("%s: adopted %d, damaged %d, want %v and %d", c.name, len(adopted), damaged, c.adopted, c.damaged)
		}
		if !c.adopted && (store.used != 0 || l.Segments() != 0) {
			t.Errorf("%s: %d bytes in use, %d segments", c.name, store.used, l.Segments())
		}
	}
}

// A log goes on after a gap of millions of segments, as a file leaves that could not be removed in its time.
func TestAdoptAcrossGap(t *testing.T) {
	former := formerLog(t, 3)
	if len(former) < 2 {
		t.Fatalf("%d segments, want 2", len(former))
	}
	far := former[1]
	far.Seq = maxSeq - 1
	binary.LittleEndian.PutUint32(far.Mem[8:], maxSeq-1)
	l := New(Settings{Store: &heap{}, Marker: marks{}, SegmentSize: 8 << 10})
	if adopted, damaged := l.Adopt([]Former{former[0], far}); len(adopted) != 2 || damaged != 0 || l.Segments() != 2 {
		t.Fatalf("adopted %d, damaged %d, %d segments", len(adopted), damaged, l.Segments())
	}
	a, err := l.Append(1, oneScope(), 0, ptrace.NewSpan())
	if err != nil || a.Pos.Seq() != maxSeq {
		t.Fatalf("appended at %s: %v", a.Pos, err)
	}
	for seq, want := range map[uint32]bool{1: true, 2: false, maxSeq - 2: false, maxSeq - 1: true, maxSeq: true, maxSeq + 1: false} {
		if got := l.View().segment(seq) != nil; got != want {
			t.Errorf("segment %d is there: %v, want %v", seq, got, want)
		}
	}
}

// A span that no segment can hold asks for no more memory than the largest record that one can.
func TestHugeSpanAsksForLittle(t *testing.T) {
	span := ptrace.NewSpan()
	span.Attributes().PutStr("big", string(make([]byte, 100<<20)))
	store := &heap{limit: 10 << 20}
	l := New(Settings{Store: store, Marker: marks{}, SegmentSize: 64 << 10})
	if _, err := l.Append(1, oneScope(), 0, span); err == nil || store.used != 0 {
		t.Fatalf("got %v and %d bytes in use, want %v and none", err, store.used, ErrTooLarge)
	}
	if _, err := l.Append(1, oneScope(), 0, ptrace.NewSpan()); err != nil {
		t.Fatal(err)
	}
}

// FuzzScan reads logs that were damaged on a disk: five bytes say how, where and with what, and again.
func FuzzScan(f *testing.F) {
	f.Add(uint64(0), []byte{})
	for how := range byte(damages) {
		f.Add(uint64(how), []byte{how, 0, 1, 2, 77, how, 0, 9, 9, 200})
		f.Add(uint64(how), []byte{forge, 0, 0, 120, 8, how, 0, 1, 40, 3})
	}
	f.Fuzz(func(t *testing.T, seed uint64, program []byte) {
		former := formerLog(t, seed%64)
		for ; len(program) >= 5; program = program[5:] {
			s := &former[int(program[1])%len(former)]
			s.Mem, _ = damage(s.Mem, program[0], binary.BigEndian.Uint32(program[1:])&0xffffff, program[4])
		}
		readEverything(t, former)
	})
}

// A chain that leads behind a tear is followed as long as its records are what was written, and no further: a damaged
// one is not handed on, however well it can be read.
func TestDamagedRecordIsNotRead(t *testing.T) {
	l := New(Settings{Store: &heap{}, Marker: marks{}, SegmentSize: 8 << 10, Checksums: true})
	var positions []Pos
	span := ptrace.NewSpan()
	span.SetTraceID([16]byte{1})
	for range 5 {
		var prev Pos
		if len(positions) > 0 {
			prev = positions[len(positions)-1]
		}
		a, err := l.Append(1, oneScope(), prev, span)
		if err != nil {
			t.Fatal(err)
		}
		positions = append(positions, a.Pos)
	}
	_, body, _ := header(l.segments[0].mem, positions[2].off())
	body[len(body)-1] ^= 1 // the status: still a span
	found, err := l.View().Positions(nil, Trace{ID: [16]byte{1}, Head: positions[4]})
	if !errors.Is(err, ErrCorrupt) || !slices.Equal(found, positions[3:]) {
		t.Errorf("found %v and %v, want %v and %v", found, err, positions[3:], ErrCorrupt)
	}
	if _, n := l.View().AppendOTLP(nil, [16]byte{1}, positions); n.Unreadable != 1 {
		t.Errorf("%d unreadable, want 1", n.Unreadable)
	}
}
