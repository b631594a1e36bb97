package receiving

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/tailgate-otel/tailgate/internal/promfront"
)

const (
	contentProtobuf = "application/x-protobuf"
	contentJSON     = "application/json"
)

// Front writes OTLP into the store; *promfront.Front does.
type Front interface {
	Write(ctx context.Context, md pmetric.Metrics) (promfront.Tally, error)
}

// OTLP is the handler of /api/v1/otlp/v1/metrics. Where a stock Prometheus answers 400 or 500 and stores nothing for one
// bad point, or 200 for a commit that failed, this one answers 200 with a partial success, or 503 to be sent again.
type OTLP struct {
	Front  Front
	Logger *slog.Logger
}

// ServeHTTP implements http.Handler. The body is decompressed by then.
func (h *OTLP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != contentProtobuf && kind != contentJSON {
		http.Error(w, fmt.Sprintf("unsupported content type: %q, supported: %s, %s", kind, contentJSON, contentProtobuf),
			http.StatusUnsupportedMediaType)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "read the request: "+err.Error(), http.StatusBadRequest)
		return
	}
	request := pmetricotlp.NewExportRequest()
	if kind == contentJSON {
		err = request.UnmarshalJSON(body)
	} else {
		err = request.UnmarshalProto(body)
	}
	if err != nil {
		http.Error(w, "decode ExportMetricsServiceRequest: "+err.Error(), http.StatusBadRequest)
		return
	}
	tally, err := h.Front.Write(r.Context(), request.Metrics())
	if err != nil {
		h.Logger.Error("OTLP request not stored", "err", err)
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	h.answer(w, kind, partial(tally))
}

// partial names what was refused.
func partial(tally promfront.Tally) pmetricotlp.ExportResponse {
	response := pmetricotlp.NewExportResponse()
	var refused int64
	var text []string
	for reason, n := range tally.Refused {
		if n > 0 {
			refused += n
			text = append(text, fmt.Sprintf("%d %s, for example %s", n, promfront.Reason(reason), tally.Examples[reason]))
		}
	}
	if refused > 0 {
		response.PartialSuccess().SetRejectedDataPoints(refused)
		response.PartialSuccess().SetErrorMessage("refused: " + strings.Join(text, "; "))
	}
	return response
}

func (h *OTLP) answer(w http.ResponseWriter, kind string, response pmetricotlp.ExportResponse) {
	marshal := response.MarshalProto
	if kind == contentJSON {
		marshal = response.MarshalJSON
	}
	body, err := marshal()
	if err != nil {
		http.Error(w, "encode the answer: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(body) // the client has gone; there is nobody to tell
}
