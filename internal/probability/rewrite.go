package probability

import "strings"

// Rewrite appends to dst the tracestate of a span that was kept at th: the ot member first, as the W3C asks of a member
// that was changed, with rv, th and the other fields in their order, then the other vendors' members in theirs. Never
// stands for no th at all.
//
// A span whose th is stricter already keeps it, for loosening it would lose count of what an earlier sampler dropped. If
// that is so, if the outcome equals tracestate, or if tracestate is malformed (err, and it must be passed on as it is),
// changed is false and out is dst as it was.
func Rewrite(dst []byte, tracestate string, th Threshold) (out []byte, changed bool, err error) {
	info, err := ParseTraceState(tracestate)
	if err != nil || info.HasTH && info.TH > th {
		return dst, false, err
	}
	start := len(dst)
	out = appendOT(dst, info, th)
	for rest := tracestate; rest != ""; {
		var m string
		m, rest = cutMember(rest)
		if m == "" || strings.HasPrefix(m, "ot=") {
			continue
		}
		if len(out) > start {
			out = append(out, ',')
		}
		out = append(out, m...)
	}
	if string(out[start:]) == tracestate {
		return out[:start], false, nil
	}
	return out, true, nil
}

// appendOT appends the ot member, or nothing if it would be empty.
func appendOT(dst []byte, info Info, th Threshold) []byte {
	start := len(dst)
	dst = append(dst, "ot="...)
	fields := len(dst)
	if info.HasRV {
		dst = append(dst, "rv:"...)
		dst = append(dst, info.rv...)
		dst = append(dst, ';')
	}
	if th < Never {
		dst = append(dst, "th:"...)
		dst = th.AppendHex(dst)
		dst = append(dst, ';')
	}
	for rest := info.ot; rest != ""; {
		var field string
		field, rest, _ = strings.Cut(rest, ";")
		if !strings.HasPrefix(field, "rv:") && !strings.HasPrefix(field, "th:") {
			dst = append(dst, field...)
			dst = append(dst, ';')
		}
	}
	if len(dst) == fields {
		return dst[:start]
	}
	return dst[:len(dst)-1] // the last semicolon
}
