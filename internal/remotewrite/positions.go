package remotewrite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"

	"github.com/tailgate-otel/tailgate/internal/remotewrite/journal"
)

// progress knows how far each lane has been delivered, in memory and on disk.
type progress struct {
	mu      sync.Mutex // guards all below
	lanes   [lanes]journal.Position
	open    []int            // by shard: batches that are being filled, wait or are being sent
	read    journal.Position // the pump has given everything before it to batches
	frames  []readFrame      // that not every lane has behind it, oldest first
	file    *positionFile
	changed chan struct{} // capacity 1; sent to when a shard has nothing open any more
}

type readFrame struct {
	end     journal.Position
	summary journal.Summary
}

// begin counts a batch of a shard.
func (p *progress) begin(shard int) {
	p.mu.Lock()
	p.open[shard]++
	p.mu.Unlock()
}

// finish says that a batch of a shard was delivered, up to end, and returns the position of the lane that is furthest
// behind. The position of a batch from the lead is zero, which moves nothing.
func (p *progress) finish(shard int, end journal.Position) (journal.Position, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[shard]--
	if p.open[shard] == 0 {
		select {
		case p.changed <- struct{}{}:
		default:
		}
		if end.Before(p.read) {
			end = p.read
		}
	}
	p.advance(shard, end)
	oldest := p.settle()
	return oldest, p.file.write(&p.lanes)
}

// passed says that the pump has given all of a frame to batches.
func (p *progress) passed(frame journal.Frame) journal.Position {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read = frame.End
	p.frames = append(p.frames, readFrame{end: frame.End, summary: frame.Summary})
	for shard, n := range p.open {
		if n == 0 {
			p.advance(shard, p.read)
		}
	}
	return p.settle()
}

// advance moves the lanes of a shard forward. mu held.
func (p *progress) advance(shard int, to journal.Position) {
	for lane := shard; lane < lanes; lane += len(p.open) {
		if p.lanes[lane].Before(to) {
			p.lanes[lane] = to
		}
	}
}

// settle forgets the frames that every lane has behind it. mu held.
func (p *progress) settle() journal.Position {
	oldest := p.lanes[0]
	for _, l := range p.lanes[1:] {
		if l.Before(oldest) {
			oldest = l
		}
	}
	n := 0
	for n < len(p.frames) && !oldest.Before(p.frames[n].end) {
		n++
	}
	p.frames = append(p.frames[:0], p.frames[n:]...)
	return oldest
}

// idle says whether no batch is open.
func (p *progress) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range p.open {
		if n > 0 {
			return false
		}
	}
	return true
}

// reshard divides the lanes anew. No batch is open.
func (p *progress) reshard(shards int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = make([]int, shards)
}

// inFlight sums up what is in memory and would be lost with it if its segment went.
func (p *progress) inFlight() journal.Summary {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum := journal.NoFrames()
	for _, f := range p.frames {
		sum.Add(f.summary)
	}
	return sum
}

func (p *progress) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.file.write(&p.lanes), p.file.file.Close())
}

// positionFile has two slots that are written in turn, so that one is whole whatever happens while the other is written:
//
//	crc32c of the rest (4) | generation (8) | lanes × (segment (4) | offset (4) | entry (4))
type positionFile struct {
	file       *os.File
	generation uint64
	buf        [slotBytes]byte
}

const (
	positionBytes = 12
	slotBytes     = 4 + 8 + lanes*positionBytes
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openPositions returns zero positions if there are none yet.
func openPositions(path string) (*positionFile, [lanes]journal.Position, error) {
	var at [lanes]journal.Position
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, at, fmt.Errorf("open positions: %w", err)
	}
	p := &positionFile{file: f}
	for slot := range int64(2) {
		if _, err := f.ReadAt(p.buf[:], slot*slotBytes); err != nil {
			if errors.Is(err, io.EOF) {
				continue
			}
			return nil, at, errors.Join(fmt.Errorf("read positions: %w", err), f.Close())
		}
		b := p.buf[:]
		generation := binary.LittleEndian.Uint64(b[4:])
		if crc32.Checksum(b[4:], castagnoli) != binary.LittleEndian.Uint32(b) || generation <= p.generation {
			continue
		}
		p.generation = generation
		for i := range at {
			l := b[12+i*positionBytes:]
			at[i] = journal.Position{
				Segment: binary.LittleEndian.Uint32(l),
				Offset:  binary.LittleEndian.Uint32(l[4:]),
				Entry:   binary.LittleEndian.Uint32(l[8:]),
			}
		}
	}
	return p, at, nil
}

func (p *positionFile) write(at *[lanes]journal.Position) error {
	p.generation++
	b := p.buf[:]
	binary.LittleEndian.PutUint64(b[4:], p.generation)
	for i, q := range at {
		l := b[12+i*positionBytes:]
		binary.LittleEndian.PutUint32(l, q.Segment)
		binary.LittleEndian.PutUint32(l[4:], q.Offset)
		binary.LittleEndian.PutUint32(l[8:], q.Entry)
	}
	binary.LittleEndian.PutUint32(b, crc32.Checksum(b[4:], castagnoli))
	if _, err := p.file.WriteAt(b, int64(p.generation%2)*slotBytes); err != nil {
		return fmt.Errorf("write positions: %w", err)
	}
	return nil
}
