package tailsamplingprocessor

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// ask sends a request to the debug endpoint's handlers.
func ask(d *debugServer, method, traceID string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/debug/sampling?trace_id="+traceID, nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	if method == http.MethodPost {
		d.rescue(w, r)
	} else {
		d.show(w, r)
	}
	return w
}

func explained(t *testing.T, d *debugServer, id pcommon.TraceID) *traceView {
	t.Helper()
	var v debugView
	w := ask(d, http.MethodGet, id.String())
	require.Equal(t, http.StatusOK, w.Code)
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &v))
	return v.Trace
}

func TestDebugExplainsTraces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := new(consumertest.TracesSink)
		p := startSampler(t, errorsOnly, sink)
		d := &debugServer{sampler: p}
		require.NoError(t, p.ConsumeTraces(t.Context(), spans(ptrace.StatusCodeOk, 1, 2, 2)))
		require.NoError(t, p.ConsumeTraces(t.Context(), spans(ptrace.StatusCodeError, 1)))
		time.Sleep(time.Second)

		v := explained(t, d, idOf(1))
		assert.Equal(t, "open: 2 spans so far, decided in 4s", v.Explanation)
		assert.False(t, *v.RootSeen)
		assert.InDelta(t, 4, v.DueSeconds, 0.1)
		page := ask(d, http.MethodGet, idOf(1).String(), "Accept", "text/html")
		assert.Contains(t, page.Body.String(), "2 spans, ")
		assert.Contains(t, page.Body.String(), "root not seen yet")

		time.Sleep(5 * time.Second)
		v = explained(t, d, idOf(1))
		assert.Equal(t, "kept 1s ago by policy errors", v.Explanation)
		assert.Nil(t, v.RootSeen)
		assert.False(t, v.CanRescue)
		v = explained(t, d, idOf(2))
		assert.Equal(t, "dropped 1s ago: no policy sampled it, or a drop policy matched; 2 spans can still be rescued", v.Explanation)
		assert.Equal(t, "never seen, or decided so long ago that it is forgotten", explained(t, d, idOf(9)).Explanation)

		assert.Equal(t, http.StatusForbidden, ask(d, http.MethodPost, idOf(2).String(), "Sec-Fetch-Site", "cross-site").Code)
		assert.Equal(t, http.StatusConflict, ask(d, http.MethodPost, idOf(1).String()).Code)
		assert.Equal(t, http.StatusNotFound, ask(d, http.MethodPost, idOf(9).String()).Code)
		assert.Equal(t, http.StatusBadRequest, ask(d, http.MethodPost, "12").Code)
		assert.Equal(t, http.StatusBadRequest, ask(d, http.MethodGet, "zz").Code)
		browser := ask(d, http.MethodPost, idOf(2).String(), "Accept", "text/html", "Sec-Fetch-Site", "same-origin")
		assert.Equal(t, http.StatusSeeOther, browser.Code, "a browser comes back to the page")
		synctest.Wait()
		assert.Equal(t, map[pcommon.TraceID]int{idOf(1): 2, idOf(2): 2}, kept(sink))

		var all debugView
		require.NoError(t, json.Unmarshal(ask(d, http.MethodGet, "").Body.Bytes(), &all))
		assert.Equal(t, []policyView{{Name: "errors", Type: "status_code", Sampled: 1, NotSampled: 1}}, all.Policies)
		assert.Equal(t, balanceView{Received: 4, Rescued: 2, Kept: 4, Dropped: 2}, all.Spans)
		stopSampler(t, p)
	})
}

func TestDebugShowsTheRatesOfAdaptiveRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := startSampler(t, `
decision_wait: 1s
rules: [{name: by service, then: {dynamic: {fields: [service.name], goal_sample_rate: 2}}}]
`, consumertest.NewNop())
		for n := range 100 {
			require.NoError(t, p.ConsumeTraces(t.Context(), spans(ptrace.StatusCodeOk, n)))
			time.Sleep(time.Second)
		}
		d := &debugServer{sampler: p}
		v := d.view()
		require.Len(t, v.Rates, 1)
		assert.Equal(t, "by service", v.Rates[0].Rule)
		assert.Equal(t, "shop", v.Rates[0].Key)
		assert.InDelta(t, 0.5, v.Rates[0].Probability, 0.1)
		assert.InDelta(t, 1, v.Rates[0].TracesPerSecond, 0.2)
		assert.Contains(t, ask(d, http.MethodGet, "", "Accept", "text/html").Body.String(), "<td>by service<td>shop")
		stopSampler(t, p)
	})
}
