package bench_test

import (
	"context"
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

// ended is the answer for an execution that has ended.
const ended = `{"execution_id":1,"batch_status":"%s"}`

func runBench(t *testing.T, h http.HandlerFunc, cfg bench.Config) (*bench.Report, error) {
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
				_ = http.NewResponseController(w).Flush() // the client has its connection
			}
		}},
		"a failed execution": {failed: true, answer: func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusCreated)
			fmt.Fprintf(w, ended, "failed")
		}},
		"a refusal": {failed: true, answer: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusServiceUnavailable) }},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := runBench(t, func(w http.ResponseWriter, r *http.Request) {
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

// A bus that hangs must not look good because nothing is sent to it meanwhile.
func TestTimeRunsFromWhenAnExecutionWasDue(t *testing.T) {
	var n atomic.Int64
	hold := make(chan struct{})
	r, err := runBench(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // there is no body
		if i := n.Add(1); i > 200 {        // after the warm-up, all requests wait for the same moment
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
	// Half of the executions were due within the half second; the first waited
	// for all of it.
	if r.AtRate.Executions != 100 || r.AtRate.Max < 450 || r.AtRate.P90 < 200 {
		t.Errorf("%+v", r.AtRate)
	}
}

// The measurement ends with its context although the bus does not answer, and
// returns the results so far.
func TestEndsWithItsContext(t *testing.T) {
	for name, c := range map[string]struct {
		answered int64
		cfg      bench.Config
	}{
		"in the warm-up": {10, bench.Config{Executions: 50, Concurrency: 3}},
		"saturated":      {210, bench.Config{Executions: 50, Concurrency: 3}},
		"at a rate":      {210, bench.Config{Rate: 100, Time: 20 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var n atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				// Otherwise the server does not notice the end of the
				// connection.
				_, _ = io.Copy(io.Discard, r.Body)
				if n.Add(1) > c.answered {
					time.AfterFunc(50*time.Millisecond, cancel)
					<-r.Context().Done()
					return
				}
				w.WriteHeader(http.StatusCreated)
				fmt.Fprintf(w, ended, "completed")
			}))
			defer srv.Close()
			c.cfg.URL, c.cfg.App, c.cfg.Job = srv.URL, "default", "j"
			start := time.Now()
			r, err := bench.Run(ctx, c.cfg)
			if took := time.Since(start); err != nil || took > 15*time.Second {
				t.Fatalf("%v after %v, want a report immediately", err, took)
			}
			got := int64(0)
			for _, p := range []*bench.Phase{r.Saturated, r.AtRate} {
				if p != nil {
					got += int64(p.Executions)
				}
			}
			if got != max(0, c.answered-200) || r.Failed != 0 {
				t.Errorf("%d executions are reported, %d failed; want %d", got, r.Failed, c.answered-200)
			}
		})
	}
}

func TestNothingListens(t *testing.T) {
	if _, err := bench.Run(t.Context(), bench.Config{URL: "http://127.0.0.1:1", Rate: 1, Time: time.Second}); err == nil {
		t.Error("no error")
	}
}
