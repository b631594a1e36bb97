// Package frame is the compact form in which samples wait in the journal, about 9 bytes for one of a known series where
// a remote-write request has 50 to 80. A frame is a sequence of entries; strings and series are said once per segment and
// are numbers afterwards, so an Encoder and a Decoder each keep the dictionary of one segment and build on nothing else.
//
// Native histograms are kept as the bytes of the Histogram message that both versions of remote write share, without
// the timestamps, which stand in the entry.
//
// Nothing here starts goroutines, reads clocks or does I/O. An Encoder belongs to whoever holds the journal's lock, a
// Decoder to the one reader; what a Decoder has handed out is not changed any more and may be read elsewhere.
package frame

// An entry begins with a byte whose lowest two bits are its kind.
//
//	float, integer, histogram   series? | time? | start? | value | exemplars?
//	definition                  one of the four below
//
// Every field that equals its predecessor's, or follows from it, is left out; flags say which are there.
const (
	kindFloat      = 0 // value: 8 bytes
	kindInteger    = 1 // value: varint
	kindHistogram  = 2 // value: length, Histogram message
	kindDefinition = 3
	kindMask       = 3

	flagSeries    = 1 << 2 // a varint says how far from the series after the last entry's; absent: it is that one
	flagTime      = 1 << 3 // a varint says how far from the last entry's time
	flagStart     = 1 << 4 // a varint says how far the start lies before the time; absent: flagSameStart or none
	flagSameStart = 1 << 5 // the last start that was said
	flagExemplars = 1 << 6
	flagCustom    = 1 << 7 // a histogram with custom buckets, which version 1 cannot carry

	defineSymbol   = kindDefinition | 0<<2 // length, bytes: the next symbol
	defineMetadata = kindDefinition | 1<<2 // family, type, help, unit as symbols: the next metadata
	defineSeries   = kindDefinition | 2<<2 // lane, metadata, number of symbols, symbols: the next series
	changeMetadata = kindDefinition | 3<<2 // series, metadata
)
