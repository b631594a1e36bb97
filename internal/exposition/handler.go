package exposition

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/prometheus/common/expfmt"
)

// Compression says which scrapers get a compressed answer, among those that accept one.
type Compression string

// The values of Compression. Gzip costs more than writing the page; on loopback it saves nothing.
const (
	CompressRemote Compression = "remote" // all but those on the same machine
	CompressAlways Compression = "always"
	CompressNever  Compression = "never"
)

// Compressions are the values of Compression.
func Compressions() []Compression {
	return []Compression{CompressRemote, CompressAlways, CompressNever}
}

const (
	encodingGzip = "gzip"
	encodingZstd = "zstd"
)

// Formats that are offered, best first for a scraper that likes several the same. OpenMetrics is left out by default.
var (
	plainFormats = []expfmt.Format{expfmt.NewFormat(expfmt.TypeProtoDelim), expfmt.NewFormat(expfmt.TypeTextPlain)}
	openFormats  = []expfmt.Format{expfmt.NewFormat(expfmt.TypeOpenMetrics), expfmt.FmtOpenMetrics_0_0_1} //nolint:staticcheck // old scrapers ask for it
)

// ServeHTTP answers a scrape. The format and the escaping of names follow the Accept header, as with Prometheus' own
// library; name[] parameters choose families.
func (x *Exposition) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	accepted := plainFormats
	if x.opts.OpenMetrics {
		accepted = slices.Concat(openFormats, plainFormats)
	}
	format := expfmt.NegotiateAccept(r.Header, accepted...)
	header := w.Header()
	header.Set("Content-Type", string(format))
	header.Add("Vary", "Accept")
	header.Add("Vary", "Accept-Encoding")

	page := x.newPage(w, r)
	defer page.done()
	finish := func() error { return nil }
	if encoding := x.encoding(r); encoding != "" {
		header.Set("Content-Encoding", encoding)
		page.w, finish = x.pools.compressor(encoding, w)
	}
	err := page.write(format)
	if finishErr := finish(); err == nil {
		err = finishErr
	}
	x.stats.scraped(format, err)
	if err != nil {
		// The client is gone. Without this the server would end the answer properly and a client that is only slow would
		// take half a page for a whole one.
		panic(http.ErrAbortHandler)
	}
}

// wanted reads the name[] parameters.
func wanted(r *http.Request) func(string) bool {
	names := r.URL.Query()["name[]"]
	if len(names) == 0 {
		return func(string) bool { return true }
	}
	return func(name string) bool { return slices.Contains(names, name) }
}

// encoding chooses the compression of the answer; empty is none.
func (x *Exposition) encoding(r *http.Request) string {
	if x.opts.Compression == CompressNever || x.opts.Compression == CompressRemote && isLocal(r.RemoteAddr) {
		return ""
	}
	return acceptedEncoding(r.Header.Values("Accept-Encoding"))
}

// acceptedEncoding prefers zstd, which is cheaper for the same size, where a client weighs both the same.
func acceptedEncoding(values []string) string {
	best, bestQuality := "", 0.0
	for clause := range strings.SplitSeq(strings.Join(values, ","), ",") {
		coding, params, _ := strings.Cut(clause, ";")
		coding = strings.ToLower(strings.TrimSpace(coding))
		if coding != encodingGzip && coding != encodingZstd {
			continue
		}
		quality := 1.0
		if q, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			parsed, err := strconv.ParseFloat(q, 64)
			if err != nil {
				continue
			}
			quality = parsed
		}
		if quality > bestQuality || quality == bestQuality && quality > 0 && coding == encodingZstd {
			best, bestQuality = coding, quality
		}
	}
	return best
}

// isLocal reports whether the peer is on this machine.
func isLocal(remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return true // a unix socket has no port
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
