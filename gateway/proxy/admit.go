package proxy

import (
	"net/http"
	"strings"

	"github.com/tailgate-otel/tailgate/telemetry"
)

// admit returns the answer to a request that must not go upstream, or nil.
func (ex *exchange) admit() *answer {
	switch r := ex.in; {
	case r.Method == http.MethodConnect:
		return &answer{status: http.StatusBadRequest, reject: telemetry.RejectBadRequest, detail: "This is a gateway for certain services, not a forward proxy: CONNECT is not served."}
	case ex.badPath != nil:
		return &answer{status: http.StatusBadRequest, reject: telemetry.RejectBadRequest, detail: ex.badPath.Error()}
	case ex.route == nil:
		return ex.noRoute()
	case hops(r.Header) >= ex.snap.Config.Limits.MaxHops:
		return &answer{status: http.StatusLoopDetected, reject: telemetry.RejectLoop, detail: "The request came through this gateway too often: an upstream leads back to it."}
	case ex.route.MaxBody > 0 && r.ContentLength > ex.route.MaxBody:
		return tooLarge()
	}
	if isH2CUpgrade(ex.in.Header) { // the old way to HTTP/2: tunneled on, it would carry requests past this gateway
		ex.in.Header.Del("Upgrade")
	}
	return nil
}

func (ex *exchange) noRoute() *answer {
	allowed := ex.snap.Table.Allowed(&ex.ask)
	if len(allowed) == 0 {
		return &answer{status: http.StatusNotFound, reject: telemetry.RejectNoRoute, detail: "No route matches this host, path and headers."}
	}
	return &answer{status: http.StatusMethodNotAllowed, reject: telemetry.RejectNoRoute, allow: strings.Join(allowed, ", "), detail: "The path has no route for this method."}
}

func tooLarge() *answer {
	return &answer{status: http.StatusRequestEntityTooLarge, reject: telemetry.RejectBodyLimit, detail: "The request body is larger than this route accepts."}
}

func isH2CUpgrade(h http.Header) bool {
	for _, v := range h["Upgrade"] {
		for token := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(token), "h2c") {
				return true
			}
		}
	}
	return false
}
