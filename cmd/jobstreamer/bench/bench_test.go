package bench_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/bench"
)

// ended is what a bus answers when an execution has ended.
const ended = `{"execution_id":1,"batch_status":"%s"}`

func measure(t *testing.T, h http.HandlerFunc, cfg bench.Config) (*bench.Report, error) {
	t.Helper()
	srv := httptest.NewServer(h)
	defer srv.Close()
	cfg.URL, cfg.App, cfg.Job = srv.URL, "default", "j"
	return bench.Run(t.Context(), cfg)
}

func TestAnswers(t *testing.T) {
	long := strings.Repeat(" ", 10_000)
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		failed bool
	}{
		"with a length": {answer: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, ended, "completed")
		}},
		"in chunks": {answer: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			for _, part := range []string{`{"batch_`, `status":"comp`, `leted"}`, long} {
				fmt.Fprint(w, part)
				_ = http.NewResponseController(w).Flush() // the connection is there
			}
		}},
		"a failed execution": {failed: true, answer: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, ended, "failed")
		}},
		"a refusal": {failed: true, answer: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusServiceUnavailable) }},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := measure(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodPost || r.URL.Path != "/default/job/j/executions" || r.URL.Query().Get("wait") == "" {
					http.Error(w, r.URL.String(), http.StatusNotFound)
					return
				}
				c.answer(w, r)
			}, bench.Config{Executions: 50, Concurrency: 3})
			if err != nil {
				t.Fatal(err)
			}
			if r.Saturated.Executions != 50 || (r.Failed == 50) != c.failed || (r.Saturated.FirstFault != "") != c.failed {
				t.Errorf("%+v", r.Saturated)
			}
		})
	}
}

// A bus that stands still must not look good because nothing is sent to it meanwhile.
func TestTimeRunsFromWhenAnExecutionWasDue(t *testing.T) {
	var n atomic.Int64
	hold := make(chan struct{})
	r, err := measure(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // there is none
		if i := n.Add(1); i > 200 {        // after the warm-up everything waits for one moment
			if i == 201 {
				time.AfterFunc(500*time.Millisecond, func() { close(hold) })
			}
			<-hold
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, ended, "completed")
	}, bench.Config{Rate: 100, Time: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	// Half of the executions were due within the half second; the first waited for all of it.
	if r.AtRate.Executions != 100 || r.AtRate.Max < 450 || r.AtRate.P90 < 200 {
		t.Errorf("%+v", r.AtRate)
	}
}

func TestNothingListens(t *testing.T) {
	if _, err := bench.Run(t.Context(), bench.Config{URL: "http://127.0.0.1:1", Rate: 1, Time: time.Second}); err == nil {
		t.Error("no error")
	}
}
