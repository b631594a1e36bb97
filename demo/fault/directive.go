package fault

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tailgate-otel/tailgate/internal/yamlkeys"
)

const (
	// Header carries directives into the shop from outside.
	Header = "X-Demo-Fault"
	// BaggageKey carries them on through the calls of the shop, as a member of the W3C baggage.
	BaggageKey = "demo.fault"
	// None is the directive for "nothing goes wrong with this request", odds included.
	None = "none"

	directiveStatus = http.StatusServiceUnavailable
)

// ParseDirectives reads what one request asks to happen to it: `checkout=error;payment=slow:800ms`. For each service
//
//	error, error:<status>   answer with 503, or with that status, instead of doing the work
//	slow:<duration>         wait before doing the work
//	timeout                 wait for longer than any caller does
//
// and `none` alone for nothing. A service may be named twice, to be slow and fail. Services that are not named do their
// work: a request with directives is exempt from the odds of the rules.
func ParseDirectives(text string, known Services) (map[string]Outcome, error) {
	out := make(map[string]Outcome)
	if strings.TrimSpace(text) == None {
		return out, nil
	}
	for part := range strings.SplitSeq(text, ";") {
		service, what, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			return nil, fmt.Errorf("%s: %q is not of the form service=fault, as in checkout=error;payment=slow:800ms", Header, part)
		}
		if _, ok := known[service]; !ok {
			return nil, fmt.Errorf("%s: there is no service %q%s", Header, service, yamlkeys.DidYouMean(service, slices.Collect(maps.Keys(known))))
		}
		o := out[service]
		if err := o.apply(what); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", Header, service, err)
		}
		out[service] = o
	}
	return out, nil
}

func (o *Outcome) apply(what string) error {
	kind, arg, hasArg := strings.Cut(what, ":")
	switch {
	case kind == "error" && !hasArg:
		o.Status = directiveStatus
	case kind == "error":
		status, err := strconv.Atoi(arg)
		if err != nil || status < 400 || status > 599 || http.StatusText(status) == "" {
			return fmt.Errorf("error:%s: must be an HTTP status between 400 and 599", arg)
		}
		o.Status = status
	case kind == "slow" && hasArg:
		d, err := time.ParseDuration(arg)
		if err != nil || d < 0 || d > MaxDelay {
			return fmt.Errorf("slow:%s: must be a duration between 0s and %s, like 800ms", arg, MaxDelay)
		}
		o.Delay = d
	case kind == "timeout" && !hasArg:
		o.Delay = MaxDelay
	default:
		return fmt.Errorf("unknown fault %q%s", what, yamlkeys.DidYouMean(kind, []string{"error", "slow:<duration>", "timeout"}))
	}
	return nil
}
