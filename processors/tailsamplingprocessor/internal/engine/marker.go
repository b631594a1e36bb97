package engine

import (
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/tailgate-otel/tailgate/internal/policy"
	"github.com/tailgate-otel/tailgate/internal/tracelog"
)

// marker asks the program what attributes mean.
type marker struct{ p *policy.Program }

func (m marker) SpanKey(key string) bool { return m.p.SpanKey(key) }

func (m marker) MarkSpan(key string, v tracelog.Value) uint32 {
	out := policy.Value{Str: v.Str, Int: v.Int}
	switch v.Type {
	case pcommon.ValueTypeStr:
		out.Kind = policy.KindStr
	case pcommon.ValueTypeBool:
		out.Kind = policy.KindBool
	case pcommon.ValueTypeInt:
		out.Kind = policy.KindInt
	}
	return uint32(m.p.MarkSpan(key, out))
}

func (m marker) MarkResource(attrs pcommon.Map) uint32 {
	return uint32(m.p.MarkResource(func(yield func(string, policy.Value) bool) {
		for k, v := range attrs.All() {
			if !yield(k, policyValue(v)) {
				return
			}
		}
	}))
}

func policyValue(v pcommon.Value) policy.Value {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		return policy.Value{Kind: policy.KindStr, Str: v.Str()}
	case pcommon.ValueTypeInt:
		return policy.Value{Kind: policy.KindInt, Int: v.Int()}
	case pcommon.ValueTypeBool:
		if v.Bool() {
			return policy.Value{Kind: policy.KindBool, Int: 1}
		}
		return policy.Value{Kind: policy.KindBool}
	}
	return policy.Value{}
}
