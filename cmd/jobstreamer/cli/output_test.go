package cli

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

func TestWatchingOutlastsABusThatIsAway(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var asked atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("GET /shop/batch-components", func(w http.ResponseWriter, r *http.Request) {
		switch asked.Add(1) {
		case 1:
			writeAnswer(w, 200, rest.Components{Results: []rest.Component{{Class: "Before"}}})
		case 2, 3:
			writeAnswer(w, 503, rest.Problem{Status: 503, Code: "unavailable", Detail: "NATS is away"})
		case 4:
			writeAnswer(w, 200, rest.Components{Results: []rest.Component{{Class: "After"}}})
		default:
			cancel()
		}
	})
	s := httptest.NewServer(mux)
	defer s.Close()
	e := newEnv(t)
	e.vars["JOBSTREAMER_SERVER"] = s.URL
	got := e.runOnce(ctx, "app", "components", "shop", "--watch", "--interval", "100ms")
	if got.failed != nil || !strings.Contains(got.out, "Before") || !strings.Contains(got.out, "After") {
		t.Errorf("%+v", got)
	}
	if want := "NATS is away; retrying\n"; got.err != want {
		t.Errorf("said %q, want %q", got.err, want)
	}
}
