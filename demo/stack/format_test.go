package stack

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestNumbers(t *testing.T) {
	for _, tc := range []struct{ got, want string }{
		{thousands(0), "0"},
		{thousands(999), "999"},
		{thousands(1000), "1,000"},
		{thousands(-1234567), "-1,234,567"},
		{perSecond(0), "0.0/s"},
		{perSecond(30.04), "30.0/s"},
		{perSecond(1234.5), "1,234/s"},
		{percent(1, 0), "0.0 %"},
		{percent(1, 8), "12.5 %"},
		{megabytes(0), "?"},
		{megabytes(182<<20 + 600<<10), "183 MiB"},
		{age(84*time.Second + 700*time.Millisecond), "1m24s"},
		{fit("ünïcode", 7), "ünïcode"},
		{fit("ünïcodes", 7), "ünïcod…"},
		{fit("anything", 0), "anything"},
	} {
		if tc.got != tc.want {
			t.Errorf("%q, want %q", tc.got, tc.want)
		}
	}
}

func TestBalance(t *testing.T) {
	for _, tc := range []struct {
		b        Balance
		balanced bool
		text     string
	}{
		{Balance{}, true, "0 in = 0 kept + 0 dropped + 0 held: balanced"},
		{Balance{In: 12467, Kept: 1097, Dropped: 11370}, true, "12,467 in = 1,097 kept + 11,370 dropped + 0 held: balanced"},
		{Balance{In: 10, Recovered: 3, Rescued: 2, Kept: 6, Dropped: 9}, true, "10 in + 3 recovered + 2 rescued = 6 kept + 9 dropped + 0 held: balanced"},
		{Balance{In: 10, Kept: 2, Dropped: 5}, false, "10 in = 2 kept + 5 dropped + 0 held: NOT balanced, 3 have no fate"},
		{Balance{In: 10, Kept: 8, Dropped: 5}, false, "10 in = 8 kept + 5 dropped + 0 held: NOT balanced, 3 more were decided than came in"},
		{Balance{In: 10, Kept: 2, Dropped: 5, Held: 3}, false, "10 in = 2 kept + 5 dropped + 3 held: NOT balanced, some still wait"},
		{Balance{In: 10, Kept: 2, Dropped: 5, Failed: 3}, false, "10 in = 2 kept + 5 dropped + 0 held + 3 failed: NOT balanced, some could not be written"},
	} {
		if tc.b.Balanced() != tc.balanced || tc.b.String() != tc.text {
			t.Errorf("%+v: %v, %q, want %v, %q", tc.b, tc.b.Balanced(), tc.b, tc.balanced, tc.text)
		}
	}
}

func status() Status {
	return Status{
		Uptime: 84 * time.Second, Memory: []ChildMemory{{"tailgate", 182 << 20}, {"gateway", 24 << 20}},
		Snapshot: Snapshot{
			RequestRate: 56, ErrorRate: 0.56, SpanRate: 286, TracesKept: 132, TracesDropped: 1802, Samples: 48210,
			SampleRate: 812, Series: 1934,
		},
	}
}

func TestStatus(t *testing.T) {
	want := "up 1m24s: requests 56.0/s, 1.0 % errors; spans in 286/s; traces 132 kept, 1,802 dropped; " +
		"samples 48,210 stored, 812/s; 1,934 series; memory tailgate 182 MiB, gateway 24 MiB"
	if got := status().Line(); got != want {
		t.Errorf("line\n%s, want\n%s", got, want)
	}
	block := strings.Join(status().Block(200), "\n")
	for _, want := range []string{
		"up 1m24s", "requests 56.0/s, 1.0 % errors", "spans in 286/s", "traces 132 kept, 1,802 dropped", "samples 48,210 stored, 812/s",
		"1,934 series", "memory tailgate 182 MiB, gateway 24 MiB", "shop http://localhost:8080/", "dashboards http://localhost:9090/",
		"gateway admin http://localhost:9901/", "OTLP 4317/4318", "dropped http://localhost:6831/debug/sampling",
	} {
		if !strings.Contains(block, want) {
			t.Errorf("block lacks %q:\n%s", want, block)
		}
	}
	for _, columns := range []int{1, 40, 80, 120} {
		for _, line := range status().Block(columns) {
			if n := utf8.RuneCountInString(line); n > columns {
				t.Errorf("line of %d characters on %d columns: %s", n, columns, line)
			}
		}
	}
	silent := status()
	silent.StoreErr = errors.New("connection refused")
	if got := silent.Line() + strings.Join(silent.Block(100), "\n"); strings.Count(got, "the store does not answer: connection refused") != 2 {
		t.Errorf("a silent store is not mentioned: %s", got)
	}
}

func TestScreenKeepsTheBlockBelowTheLines(t *testing.T) {
	var out strings.Builder
	s := NewScreen(&out)
	write := func(text string) {
		t.Helper()
		if n, err := s.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatalf("write: %d, %v", n, err)
		}
	}
	write("one\n")
	s.SetBlock([]string{"A", "B"})
	write("two\n")
	s.SetBlock([]string{"C"})
	s.SetBlock(nil)
	write("three\n")
	want := "one\n" + "A\nB\n" + "\r\x1b[2A\x1b[J" + "two\n" + "A\nB\n" + "\r\x1b[2A\x1b[J" + "C\n" + "\r\x1b[1A\x1b[J" + "three\n"
	if out.String() != want {
		t.Errorf("written %q, want %q", out.String(), want)
	}
}

func TestSummary(t *testing.T) {
	s := Summary{
		Ran: time.Minute, Data: t.TempDir(), Peaks: []ChildMemory{{"tailgate", 141 << 20}},
		Snapshot: Snapshot{Requests: 2856, Errors: 20, Spans: Balance{In: 10, Kept: 2, Dropped: 8}, TracesKept: 1, TracesDropped: 2, Samples: 9386, Series: 1096},
		Panels:   &Panels{Panels: 74, WithData: 73, Empty: []EmptyPanel{{"Gateway", "Retries", "no series"}}},
		Losses:   []string{"3 samples refused by the store"},
	}
	s.judge(true)
	text := s.String()
	for _, want := range []string{
		"Ran for 1m0s", "2,856 through the gateway, 20 of them failed with 5xx (0.7 %)", "10 in = 2 kept + 8 dropped + 0 held: balanced",
		"9,386 stored, 1,096 series", "73 with data, 1 without", "no data: Gateway / Retries: no series", "3 samples refused by the store",
		"tailgate 141 MiB", "none in " + s.Data,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("summary lacks %q:\n%s", want, text)
		}
	}
	if len(s.Problems) != 0 || strings.Contains(text, "PROBLEM") {
		t.Errorf("problems %v", s.Problems)
	}
	for name, bad := range map[string]Snapshot{
		"unbalanced":  {Requests: 1, Spans: Balance{In: 2, Kept: 1}},
		"no spans":    {Requests: 1},
		"no requests": {Spans: Balance{In: 1, Kept: 1}},
	} {
		s := Summary{Snapshot: bad}
		s.judge(true)
		if len(s.Problems) != 1 || !strings.Contains(s.String(), "PROBLEM") {
			t.Errorf("%s: problems %v", name, s.Problems)
		}
	}
	idle := Summary{}
	idle.judge(false)
	if len(idle.Problems) != 0 {
		t.Errorf("a run without traffic has problems %v", idle.Problems)
	}
}
