package exposition

import (
	"math"
	"strconv"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/exemplar"
	"github.com/prometheus/prometheus/model/labels"
)

// textEncoder writes the Prometheus text format 0.0.4 or OpenMetrics text 1.0. Rules: the exposition format document of
// Prometheus and the OpenMetrics 1.0 specification; where both leave a choice, the one of Prometheus' Go library.
type textEncoder struct {
	openMetrics bool
	created     bool // OpenMetrics' _created samples
	timestamps  bool
	scheme      model.EscapingScheme

	heads [roles][]byte // of the family: `name_bucket{`, or `{"name.x_bucket",`
	timed bool          // the family's samples bear times
	base  string        // the family's name as HELP and TYPE have it
	typ   model.MetricType
	buf   []byte // scratch for escaped labels
}

// family writes the header unless another family of the name has done so, and prepares for its metrics.
func (e *textEncoder) family(b []byte, f *family, header bool) []byte {
	name, legacy := f.name, f.legacy
	if !legacy && e.scheme != model.NoEscaping {
		name, legacy = model.EscapeName(name, e.scheme), true
	}
	e.base, e.typ, e.timed = name, f.typ, e.timestamps && !f.target
	if e.openMetrics && f.typ == model.MetricTypeCounter {
		var ok bool
		if e.base, ok = strings.CutSuffix(name, "_total"); !ok {
			e.typ = model.MetricTypeUnknown // a counter must end in _total
		}
	}
	for r := range roles {
		e.heads[r] = appendHead(e.heads[r][:0], name+suffixes[r], legacy)
	}
	if !header {
		return b
	}
	b = e.meta(b, "HELP")
	b = appendHelp(b, f.help, e.openMetrics)
	b = append(b, '\n')
	b = e.meta(b, "TYPE")
	b = append(b, e.typeName()...)
	b = append(b, '\n')
	if e.openMetrics && f.unit != "" && strings.HasSuffix(e.base, "_"+f.unit) {
		b = e.meta(b, "UNIT")
		b = append(b, f.unit...)
		b = append(b, '\n')
	}
	return b
}

func (e *textEncoder) meta(b []byte, keyword string) []byte {
	b = append(b, "# "...)
	b = append(b, keyword...)
	b = append(b, ' ')
	b = appendName(b, e.base)
	return append(b, ' ')
}

func (e *textEncoder) typeName() string {
	switch {
	case e.typ != model.MetricTypeUnknown:
		return string(e.typ)
	case e.openMetrics:
		return "unknown"
	}
	return "untyped"
}

// metric writes the samples of m.
func (e *textEncoder) metric(b []byte, m *metric) []byte {
	text := m.text
	if !m.legacy && e.scheme != model.NoEscaping {
		e.buf = appendEscapedLabels(e.buf[:0], m.labels, e.scheme)
		text = string(e.buf)
	}
	shown := false
	for i := range m.parts {
		p := &m.parts[i]
		if p.epoch != m.epoch {
			continue
		}
		shown = true
		b = e.sample(b, m, text, p.bound, p.value)
		if e.openMetrics && p.exemplar != nil && (p.bound.role == roleBucket || m.family.typ == model.MetricTypeCounter) {
			b = appendExemplar(b, p.exemplar)
		}
		b = append(b, '\n')
	}
	if n := m.native; !shown && n != nil && n.epoch == m.epoch && (n.ints != nil || n.floats != nil) {
		b = e.nativeSummary(b, m, text, n)
	}
	if e.created && m.start > 0 {
		b = e.createdSample(b, m, text)
	}
	return b
}

// nativeSummary writes all that the text formats can say about a native histogram.
func (e *textEncoder) nativeSummary(b []byte, m *metric, text string, n *native) []byte {
	count, sum := n.totals()
	b = append(e.sample(b, m, text, infinite, count), '\n')
	b = append(e.sample(b, m, text, theSum, sum), '\n')
	return append(e.sample(b, m, text, theCount, count), '\n')
}

// infinite is the last bucket of a native histogram in text.
var infinite = &bound{role: roleBucket, at: math.Inf(1), text: `le="+Inf"} `, openMetrics: `le="+Inf"} `}

func (n *native) totals() (count, sum float64) {
	if n.ints != nil {
		return float64(n.ints.Count), n.ints.Sum
	}
	return n.floats.Count, n.floats.Sum
}

// sample writes a line without its end.
func (e *textEncoder) sample(b []byte, m *metric, text string, at *bound, value float64) []byte {
	b = append(b, e.heads[at.role]...)
	b = append(b, text...)
	closing := at.text
	if e.openMetrics {
		closing = at.openMetrics
	}
	switch {
	case at.role != roleBucket && at.role != roleQuantile:
		if text == "" {
			b = closeEmpty(b)
			break
		}
		b = append(b, closing...)
	default:
		if text != "" {
			b = append(b, ',')
		}
		b = append(b, closing...)
	}
	b = appendFloat(b, value)
	if e.timed {
		b = append(b, ' ')
		if e.openMetrics {
			b = appendSeconds(b, m.time)
		} else {
			b = strconv.AppendInt(b, m.time, 10)
		}
	}
	return b
}

// createdSample writes the start time of a counter, histogram or summary.
func (e *textEncoder) createdSample(b []byte, m *metric, text string) []byte {
	switch e.typ {
	case model.MetricTypeCounter, model.MetricTypeHistogram, model.MetricTypeSummary:
	default:
		return b
	}
	b = appendHead(b, e.base+"_created", model.LegacyValidation.IsValidMetricName(e.base))
	b = append(b, text...)
	if text == "" {
		b = closeEmpty(b)
	} else {
		b = append(b, "} "...)
	}
	b = appendSeconds(b, m.start)
	return append(b, '\n')
}

// end closes the page.
func (e *textEncoder) end(b []byte) []byte {
	if e.openMetrics {
		b = append(b, "# EOF\n"...)
	}
	return b
}

// appendHead writes a name and the opening brace; behind it the labels follow directly.
func appendHead(b []byte, name string, legacy bool) []byte {
	if legacy {
		return append(append(b, name...), '{')
	}
	b = append(b, '{')
	b = appendQuoted(b, name)
	return append(b, ',')
}

// closeEmpty ends a label set in which nothing stands.
func closeEmpty(b []byte) []byte {
	last := len(b) - 1
	if b[last] == ',' {
		return append(b[:last], "} "...) // {"name"}
	}
	b[last] = ' ' // no braces at all
	return b
}

func appendName(b []byte, name string) []byte {
	if model.LegacyValidation.IsValidMetricName(name) {
		return append(b, name...)
	}
	return appendQuoted(b, name)
}

func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	b = appendEscaped(b, s)
	return append(b, '"')
}

// labelText renders labels without braces. plain says that no name needs quotes.
func labelText(ls labels.Labels) (text string, plain bool) {
	plain = true
	var b []byte
	ls.Range(func(l labels.Label) {
		plain = plain && model.LegacyValidation.IsValidLabelName(l.Name)
		b = appendLabel(b, l)
	})
	return string(b), plain
}

func appendLabel(b []byte, l labels.Label) []byte {
	if len(b) > 0 {
		b = append(b, ',')
	}
	b = appendLabelName(b, l.Name)
	b = append(b, '=')
	return appendQuoted(b, l.Value)
}

func appendLabelName(b []byte, name string) []byte {
	if model.LegacyValidation.IsValidLabelName(name) {
		return append(b, name...)
	}
	return appendQuoted(b, name)
}

// appendEscapedLabels renders labels for a scraper that does not take all of UTF-8 in names.
func appendEscapedLabels(b []byte, ls labels.Labels, scheme model.EscapingScheme) []byte {
	ls.Range(func(l labels.Label) {
		if !model.LegacyValidation.IsValidMetricName(l.Name) {
			l.Name = model.EscapeName(l.Name, scheme)
		}
		b = appendLabel(b, l)
	})
	return b
}

// appendEscaped writes a label value.
func appendEscaped(b []byte, s string) []byte {
	from := 0
	for i := range len(s) {
		var esc string
		switch s[i] {
		case '\\':
			esc = `\\`
		case '\n':
			esc = `\n`
		case '"':
			esc = `\"`
		default:
			continue
		}
		b = append(b, s[from:i]...)
		b = append(b, esc...)
		from = i + 1
	}
	return append(b, s[from:]...)
}

// appendHelp writes a help text, in which only OpenMetrics escapes quotes.
func appendHelp(b []byte, help string, openMetrics bool) []byte {
	if openMetrics {
		return appendEscaped(b, help)
	}
	for i := range len(help) {
		switch help[i] {
		case '\\':
			b = append(b, `\\`...)
		case '\n':
			b = append(b, `\n`...)
		default:
			b = append(b, help[i])
		}
	}
	return b
}

func appendExemplar(b []byte, e *exemplar.Exemplar) []byte {
	b = append(b, " # {"...)
	first := true
	e.Labels.Range(func(l labels.Label) {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendLabelName(b, clean(l.Name))
		b = append(b, '=')
		b = appendQuoted(b, clean(l.Value))
	})
	b = append(b, "} "...)
	b = appendFloat(b, e.Value)
	if e.HasTs {
		b = append(b, ' ')
		b = appendSeconds(b, e.Ts)
	}
	return b
}

// appendFloat writes a value. Whole numbers are most of what there is, and 1000000 reads better than 1e+06; up to 1e15
// they are exact.
func appendFloat(b []byte, v float64) []byte {
	if v == math.Trunc(v) && math.Abs(v) < 1e15 && (v != 0 || !math.Signbit(v)) {
		return strconv.AppendInt(b, int64(v), 10)
	}
	switch {
	case math.IsInf(v, 1):
		return append(b, "+Inf"...)
	case math.IsInf(v, -1):
		return append(b, "-Inf"...)
	case math.IsNaN(v):
		return append(b, "NaN"...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

// canonical is a boundary as OpenMetrics wants it: always with a point or an exponent.
func canonical(text string) string {
	if strings.ContainsAny(text, ".eIN") {
		return text
	}
	return text + ".0"
}

// appendSeconds writes milliseconds as seconds.
func appendSeconds(b []byte, ms int64) []byte {
	if ms < 0 {
		return strconv.AppendFloat(b, float64(ms)/1000, 'f', -1, 64)
	}
	b = strconv.AppendInt(b, ms/1000, 10)
	if ms %= 1000; ms != 0 {
		b = append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
	}
	return b
}
