package tracefate

import "testing"

// one knows a single trace.
type one struct {
	id    [16]byte
	fate  Fate
	asked int
}

func (o *one) Fate(id [16]byte) Fate {
	if id == o.id {
		return o.fate
	}
	return Unknown
}

func (o *one) Keep(id [16]byte) bool {
	o.asked++
	return id == o.id
}

func TestTheSamplerThatKnowsMostAnswers(t *testing.T) {
	id := [16]byte{1}
	dropped, open := &one{id: id, fate: Dropped}, &one{id: id, fate: Open}
	leaveDropped, leaveOpen := Enter(dropped), Enter(open)
	for _, step := range []struct {
		leave func()
		want  Fate
		keeps bool
	}{{func() {}, Open, true}, {leaveOpen, Dropped, true}, {leaveDropped, Unknown, false}, {leaveDropped, Unknown, false}} {
		step.leave()
		if got := Of(id); got != step.want {
			t.Errorf("fate %s, want %s", got, step.want)
		}
		if got := Keep(id); got != step.keeps {
			t.Errorf("keep: %t, want %t", got, step.keeps)
		}
	}
	if dropped.asked != 2 || open.asked != 1 {
		t.Errorf("asked %d and %d times, want 2 and 1: who has left is not asked", dropped.asked, open.asked)
	}
	if Of([16]byte{2}) != Unknown {
		t.Error("a trace that nobody saw has a fate")
	}
}
