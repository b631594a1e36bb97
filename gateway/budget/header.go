package budget

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// longest is what durations that do not fit are cut to: 292 years.
const longest = time.Duration(math.MaxInt64)

// parseMillis reads a whole number of milliseconds. 0 is a budget that is used up, not one without end: a service that
// rounds down what it has left sends it. There is no way to say «without end» but to leave the header out.
func parseMillis(s string) (time.Duration, error) {
	n, err := digits(s, 18)
	if err != nil {
		return 0, err
	}
	return multiply(n, time.Millisecond), nil
}

func formatMillis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// parseGRPC reads a TimeoutValue and TimeoutUnit as in gRPC over HTTP/2: up to eight digits and a letter.
func parseGRPC(s string) (time.Duration, error) {
	if s == "" {
		return 0, fmt.Errorf("is empty, want up to eight digits and a unit, such as 100m")
	}
	last := len(s) - 1
	unit := grpcUnit(s[last])
	if unit == 0 {
		return 0, fmt.Errorf("%.20q does not end in one of the units H, M, S, m, u, n", s)
	}
	n, err := digits(s[:last], 8)
	if err != nil {
		return 0, err
	}
	return multiply(n, unit), nil
}

func grpcUnit(letter byte) time.Duration {
	switch letter {
	case 'H':
		return time.Hour
	case 'M':
		return time.Minute
	case 'S':
		return time.Second
	case 'm':
		return time.Millisecond
	case 'u':
		return time.Microsecond
	case 'n':
		return time.Nanosecond
	}
	return 0
}

// formatGRPC uses the finest unit in which d fits into eight digits.
func formatGRPC(d time.Duration) string {
	const most = 99_999_999
	for _, letter := range [...]byte{'n', 'u', 'm', 'S', 'M'} {
		if n := int64(d / grpcUnit(letter)); n <= most {
			return strconv.FormatInt(n, 10) + string(letter)
		}
	}
	return strconv.FormatInt(int64(d/time.Hour), 10) + "H" // at most 2,562,047
}

// digits reads up to most decimal digits and nothing else: no sign, no space, no fraction.
func digits(s string, most int) (int64, error) {
	if len(s) == 0 || len(s) > most {
		return 0, fmt.Errorf("%.20q is not a number of one to %d digits", s, most)
	}
	var n int64
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, fmt.Errorf("%.20q is not a number of one to %d digits", s, most)
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, nil
}

func multiply(n int64, unit time.Duration) time.Duration {
	if n > int64(longest/unit) {
		return longest
	}
	return time.Duration(n) * unit
}

// isToken says whether s can be the name of a header (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}
