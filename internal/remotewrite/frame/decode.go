package frame

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/prometheus/common/model"
)

// Known is a series as the reader knows it. It is not changed after it was handed out.
type Known struct {
	Number uint32 // dense, from 0, within its dictionary
	Lane   uint8
	Labels []uint32 // symbols: name, value, name, value…
}

// Meta is metadata as symbols.
type Meta struct {
	Family, Help, Unit uint32
	Type               model.MetricType
}

// Dictionary gives numbers their meaning. It only ever grows; a copy of the struct is a snapshot that another goroutine
// may read while the original grows.
type Dictionary struct {
	Symbols []string
	Metas   []Meta // number 0 is none
	Series  []*Known
}

// Entry is one sample that was read.
type Entry struct {
	Series    *Known
	Meta      uint32 // in the dictionary's Metas
	Start, T  int64
	V         float64
	Histogram []byte // Histogram message without its timestamps; nil: V is the value. Valid as long as the frame
	Custom    bool
	Exemplars []Exemplar
}

// Exemplar is one that was read.
type Exemplar struct {
	Labels []Pair
	V      float64
	T      int64
}

// Pair is a label of an exemplar.
type Pair struct {
	Name  uint32 // symbol
	Value string
}

// Decoder reads the frames of one segment after the other.
type Decoder struct {
	Dictionary
	metaOf []uint32 // by number of series

	b []byte // what is left of the frame

	number   uint32
	t, start int64
	entry    Entry
}

var errTruncated = errors.New("frame ends in the middle of an entry")

// NewSegment forgets what the last segment said.
func (d *Decoder) NewSegment() { *d = Decoder{Dictionary: NewDictionary()} }

// NewDictionary returns one that knows nothing.
func NewDictionary() Dictionary { return Dictionary{Metas: make([]Meta, 1)} }

// Begin takes a frame. The bytes are used until the next Begin.
func (d *Decoder) Begin(payload []byte) {
	d.b, d.number, d.t, d.start = payload, 0, 0, 0
}

// Next reads the next sample; nil at the end. The entry is valid until the next call.
func (d *Decoder) Next() (*Entry, error) {
	for len(d.b) > 0 {
		head := d.b[0]
		d.b = d.b[1:]
		if head&kindMask != kindDefinition {
			if err := d.sample(head); err != nil {
				return nil, err
			}
			return &d.entry, nil
		}
		if err := d.definition(head); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (d *Decoder) uvarint() (uint64, error) {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		return 0, errTruncated
	}
	d.b = d.b[n:]
	return v, nil
}

func (d *Decoder) varint() (int64, error) {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		return 0, errTruncated
	}
	d.b = d.b[n:]
	return v, nil
}

func (d *Decoder) bytes() ([]byte, error) {
	n, err := d.uvarint()
	if err != nil || n > uint64(len(d.b)) {
		return nil, errTruncated
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b, nil
}

func (d *Decoder) float() (float64, error) {
	if len(d.b) < 8 {
		return 0, errTruncated
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(d.b))
	d.b = d.b[8:]
	return v, nil
}

// index reads a number below limit.
func (d *Decoder) index(what string, limit int) (uint32, error) {
	n, err := d.uvarint()
	if err != nil {
		return 0, err
	}
	if n >= uint64(limit) {
		return 0, fmt.Errorf("%s %d was not defined, there are %d", what, n, limit)
	}
	return uint32(n), nil
}

func (d *Decoder) definition(head byte) error {
	switch head {
	case defineSymbol:
		b, err := d.bytes()
		if err != nil {
			return err
		}
		d.Symbols = append(d.Symbols, string(b))
		return nil
	case defineMetadata:
		return d.defineMetadata()
	case defineSeries:
		return d.defineSeries()
	case changeMetadata:
		number, err := d.index("series", len(d.Series))
		if err != nil {
			return err
		}
		d.metaOf[number], err = d.index("metadata", len(d.Metas))
		return err
	}
	return fmt.Errorf("there is no entry 0x%02x", head)
}

func (d *Decoder) defineMetadata() error {
	var n [4]uint32
	for i := range n {
		var err error
		if n[i], err = d.index("symbol", len(d.Symbols)); err != nil {
			return err
		}
	}
	d.Metas = append(d.Metas, Meta{Family: n[0], Type: model.MetricType(d.Symbols[n[1]]), Help: n[2], Unit: n[3]})
	return nil
}

func (d *Decoder) defineSeries() error {
	if len(d.b) == 0 {
		return errTruncated
	}
	s := &Known{Number: uint32(len(d.Series)), Lane: d.b[0]}
	d.b = d.b[1:]
	meta, err := d.index("metadata", len(d.Metas))
	if err != nil {
		return err
	}
	n, err := d.uvarint()
	if err != nil || n > uint64(len(d.b)) || n%2 != 0 {
		return errTruncated
	}
	s.Labels = make([]uint32, n)
	for i := range s.Labels {
		if s.Labels[i], err = d.index("symbol", len(d.Symbols)); err != nil {
			return err
		}
	}
	d.Series = append(d.Series, s)
	d.metaOf = append(d.metaOf, meta)
	return nil
}

func (d *Decoder) sample(head byte) error {
	x := &d.entry
	x.Histogram, x.Exemplars, x.Custom, x.V, x.Start = nil, x.Exemplars[:0], false, 0, 0
	number := int64(d.number)
	if head&flagSeries != 0 {
		delta, err := d.varint()
		if err != nil {
			return err
		}
		number += delta
	}
	if number < 0 || number >= int64(len(d.Series)) {
		return fmt.Errorf("series %d was not defined, there are %d", number, len(d.Series))
	}
	d.number = uint32(number) + 1
	x.Series, x.Meta = d.Series[number], d.metaOf[number]
	if err := d.times(head); err != nil {
		return err
	}
	if err := d.value(head); err != nil {
		return err
	}
	if head&flagExemplars != 0 {
		return d.exemplars()
	}
	return nil
}

func (d *Decoder) times(head byte) error {
	if head&flagTime != 0 {
		delta, err := d.varint()
		if err != nil {
			return err
		}
		d.t += delta
	}
	d.entry.T = d.t
	if head&flagStart != 0 {
		delta, err := d.varint()
		if err != nil {
			return err
		}
		d.start = d.t - delta
	}
	if head&(flagStart|flagSameStart) != 0 {
		d.entry.Start = d.start
	}
	return nil
}

func (d *Decoder) value(head byte) (err error) {
	x := &d.entry
	switch head & kindMask {
	case kindFloat:
		x.V, err = d.float()
	case kindInteger:
		var n int64
		n, err = d.varint()
		x.V = float64(n)
	case kindHistogram:
		x.Custom = head&flagCustom != 0
		x.Histogram, err = d.bytes()
	}
	return err
}

func (d *Decoder) exemplars() error {
	n, err := d.uvarint()
	if err != nil || n > uint64(len(d.b)) {
		return errTruncated
	}
	for range n {
		x, err := d.exemplar()
		if err != nil {
			return err
		}
		d.entry.Exemplars = append(d.entry.Exemplars, x)
	}
	return nil
}

func (d *Decoder) exemplar() (x Exemplar, err error) {
	n, err := d.uvarint()
	if err != nil || n > uint64(len(d.b)) {
		return x, errTruncated
	}
	x.Labels = make([]Pair, n)
	for i := range x.Labels {
		if x.Labels[i].Name, err = d.index("symbol", len(d.Symbols)); err != nil {
			return x, err
		}
		b, err := d.bytes()
		if err != nil {
			return x, err
		}
		x.Labels[i].Value = string(b)
	}
	if x.V, err = d.float(); err != nil {
		return x, err
	}
	before, err := d.varint()
	x.T = d.t - before
	return x, err
}
