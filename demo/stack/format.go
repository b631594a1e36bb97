package stack

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// thousands writes a count with separators: 1,234,567.
func thousands(v float64) string {
	s := strconv.FormatInt(int64(v), 10)
	sign := ""
	if strings.HasPrefix(s, "-") {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// perSecond writes a rate: one decimal below a hundred, where it tells something.
func perSecond(v float64) string {
	if v < 100 {
		return strconv.FormatFloat(v, 'f', 1, 64) + "/s"
	}
	return thousands(v) + "/s"
}

// percent writes a share; a share of nothing is 0.
func percent(part, whole float64) string {
	if whole <= 0 {
		return "0.0 %"
	}
	return strconv.FormatFloat(100*part/whole, 'f', 1, 64) + " %"
}

// megabytes writes a size in memory.
func megabytes(bytes int64) string {
	if bytes == 0 {
		return "?"
	}
	return strconv.FormatInt((bytes+1<<19)>>20, 10) + " MiB"
}

// age writes a duration in whole seconds: 1m24s.
func age(d time.Duration) string { return d.Truncate(time.Second).String() }

// fit cuts a line to the columns of the terminal, so that it never wraps.
func fit(line string, columns int) string {
	if columns <= 0 || utf8.RuneCountInString(line) <= columns {
		return line
	}
	return string([]rune(line)[:columns-1]) + "…"
}

// Addresses of the parts, as the shipped configuration sets them.
const (
	shopURL       = "http://localhost:8080/"
	dashboardsURL = "http://localhost:9090/"
	adminURL      = "http://localhost:9901/"
	samplingURL   = "http://localhost:6831/debug/sampling"
	otlpPorts     = "4317/4318"
)

// Status is what the block and the lines show.
type Status struct {
	Snapshot

	Uptime   time.Duration
	Memory   []ChildMemory
	StoreErr error // the store does not answer: the numbers are not of now
}

// ChildMemory is the resident memory of a child.
type ChildMemory struct {
	Name  string
	Bytes int64
}

// Block is the status on a terminal, one string per line.
func (s Status) Block(columns int) []string {
	rule := strings.Repeat("─", max(columns, 1))
	lines := []string{
		rule,
		fmt.Sprintf("  up %-10s requests %s, %s errors     spans in %s     traces %s kept, %s dropped", age(s.Uptime),
			perSecond(s.RequestRate), percent(s.ErrorRate, s.RequestRate), perSecond(s.SpanRate),
			thousands(s.TracesKept), thousands(s.TracesDropped)),
		fmt.Sprintf("  samples %s stored, %s     %s series     memory %s", thousands(s.Samples), perSecond(s.SampleRate),
			thousands(s.Series), s.memory()),
		fmt.Sprintf("  shop %s   dashboards %s   gateway admin %s   OTLP %s", shopURL, dashboardsURL, adminURL, otlpPorts),
		fmt.Sprintf("  why a trace was kept or dropped %s", samplingURL),
	}
	if s.StoreErr != nil {
		lines[2] = "  the store does not answer: " + s.StoreErr.Error()
	}
	for i := range lines {
		lines[i] = fit(lines[i], columns)
	}
	return lines
}

// Line is the status where there is no terminal.
func (s Status) Line() string {
	if s.StoreErr != nil {
		return fmt.Sprintf("up %s: the store does not answer: %v", age(s.Uptime), s.StoreErr)
	}
	return fmt.Sprintf("up %s: requests %s, %s errors; spans in %s; traces %s kept, %s dropped; samples %s stored, %s; %s series; memory %s",
		age(s.Uptime), perSecond(s.RequestRate), percent(s.ErrorRate, s.RequestRate), perSecond(s.SpanRate),
		thousands(s.TracesKept), thousands(s.TracesDropped), thousands(s.Samples), perSecond(s.SampleRate),
		thousands(s.Series), s.memory())
}

func (s Status) memory() string {
	parts := make([]string, 0, len(s.Memory))
	for _, m := range s.Memory {
		parts = append(parts, m.Name+" "+megabytes(m.Bytes))
	}
	return strings.Join(parts, ", ")
}
