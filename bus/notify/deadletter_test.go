package notify

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/bus/notify/senders"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// receiver of webhooks on TCP, which refuses all until it works.
type webhookReceiver struct {
	*httptest.Server

	mu    sync.Mutex
	works bool
	taken map[string]int // how often, by id
}

func newWebhookReceiver(t *testing.T) *webhookReceiver {
	r := &webhookReceiver{taken: map[string]int{}}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *webhookReceiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	data, _ := io.ReadAll(q.Body)
	var got struct {
		ID string `json:"id"`
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if json.Unmarshal(data, &got) != nil || !r.works {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	r.taken[got.ID]++
}

// startRepair lets the receiver take what it gets.
func (r *webhookReceiver) startRepair() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.works = true
}

func (r *webhookReceiver) countTaken() (ids, all int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.taken {
		all += n
	}
	return len(r.taken), all
}

// startNotifier starts a notifier whose sender ops is the receiver.
func startNotifier(t *testing.T, b *bus.Bus, receiver string) *Notifier {
	t.Helper()
	file := filepath.Join(t.TempDir(), "senders.yaml")
	if err := os.WriteFile(file, []byte("ops: {kind: webhook, url: "+receiver+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	set, _, err := senders.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	x := index.New(b)
	life := execution.New(b, x, execution.Config{})
	n, err := New(Config{Bus: b, Index: x, Executions: life, Senders: set})
	if err != nil {
		t.Fatal(err)
	}
	bustest.RunBackground(t, x.Run)
	bustest.RunBackground(t, life.Run)
	bustest.RunBackground(t, n.Run)
	return n
}

func everyApp(string) bool { return true }

// waitLetters waits until dead letters are those that are wanted, and returns
// their numbers, the newest first.
func waitLetters(t *testing.T, n *Notifier, what string, wanted func(all []DeadLetter) bool) (numbers []uint64) {
	t.Helper()
	for range 6000 {
		all, err := n.DeadLetters(t.Context(), 1000, everyApp)
		if err != nil {
			t.Fatal(err)
		}
		if wanted(all) {
			for i := range all {
				numbers = append(numbers, all[i].Number)
			}
			return numbers
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no %s", what)
	return nil
}

func queueTests(t *testing.T, n *Notifier, kind string, count int) {
	t.Helper()
	for i := range count {
		err := n.queueMessage(t.Context(), &senders.Message{
			ID: fmt.Sprintf("%s-%d", kind, i), Kind: senders.KindStatus, Type: kind, Time: subjects.Now(), App: "default", Job: "Nightly", Key: "nightly",
			Execution: &subjects.Execution{ID: int64(i + 1), App: "default", Job: "nightly", BatchStatus: subjects.Failed, Parameters: map[string]string{"day": "monday"}},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Dead letters are sent again with the whole message. Each is queued once,
// although two buses send them again at the same time, and may die again.
func TestResend(t *testing.T) {
	srv := bustest.Server(t)
	receiver := newWebhookReceiver(t)
	one := startNotifier(t, bustest.Open(t, srv, bus.Config{}), receiver.URL)
	two := startNotifier(t, bustest.Open(t, srv, bus.Config{}), receiver.URL)
	const count = 30
	queueTests(t, one, "ops", count)
	was := waitLetters(t, one, "dead letters", func(all []DeadLetter) bool { return len(all) == count })
	if is, err := one.Resend(t.Context(), nil, everyApp); err != nil || is.Queued != count || len(is.Refused) != 0 || is.More {
		t.Fatalf("%+v, %v", is, err)
	}
	waitLetters(t, one, "letters that died again", func(all []DeadLetter) bool {
		return len(all) == count && all[count-1].Number > was[0] && all[0].Message.Execution.Parameters["day"] == "monday"
	})
	receiver.startRepair()
	var all [2]Resent
	var g sync.WaitGroup
	for i, n := range []*Notifier{one, two} {
		g.Go(func() {
			var err error
			if all[i], err = n.Resend(t.Context(), nil, everyApp); err != nil {
				t.Error(err)
			}
		})
	}
	g.Wait()
	if queued := all[0].Queued + all[1].Queued; queued != count {
		t.Errorf("queued %d, want %d: %+v", queued, count, all)
	}
	for _, r := range slices.Concat(all[0].Refused, all[1].Refused) {
		if r.Reason != noLetter && r.Reason != sentBefore {
			t.Errorf("refused %+v", r)
		}
	}
	waitLetters(t, one, "end", func(dead []DeadLetter) bool { ids, _ := receiver.countTaken(); return ids == count && len(dead) == 0 })
	for range 6000 {
		s, err := one.b.JS.Stream(t.Context(), subjects.NotificationsStream)
		if err != nil {
			t.Fatal(err)
		}
		if s.CachedInfo().State.Msgs == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if _, taken := receiver.countTaken(); taken != count {
		t.Errorf("the receiver took %d, want %d", taken, count)
	}
}

func TestResendRefusals(t *testing.T) {
	n := startNotifier(t, bustest.Open(t, bustest.Server(t), bus.Config{}), newWebhookReceiver(t).URL)
	queueTests(t, n, "gone", 1)
	waitLetters(t, n, "letter to an unknown sender", func(all []DeadLetter) bool { return len(all) == 1 })
	old := DeadLetter{ID: "old", App: "default", Job: "Nightly", Type: "ops"}
	data, err := old.marshalEvent("default.nightly")
	if err == nil {
		err = n.publishOnce(t.Context(), subjects.DeadLetterSubject("default", "nightly"), old.ID, data)
	}
	if err != nil {
		t.Fatal(err)
	}
	large := &senders.Message{ID: "large", Type: "ops", App: "default", Key: "nightly"}
	large.Execution = &subjects.Execution{Parameters: map[string]string{"all": strings.Repeat("x", int(n.b.NC.MaxPayload())-headerRoom)}}
	if err := n.storeDead(t.Context(), large, 1, io.ErrUnexpectedEOF); err != nil {
		t.Errorf("a message that is too large to be sent again: %v", err)
	}
	is, err := n.Resend(t.Context(), []uint64{9, 2, 1, 3, 9}, everyApp)
	want := []RefusedLetter{{1, "this control bus has no sender gone (--senders) and no notificator (--notificator-url)"}, {2, noMessage}, {3, noMessage}, {9, noLetter}}
	if err != nil || is.Queued != 0 || !slices.Equal(is.Refused, want) {
		t.Errorf("%+v, %v", is, err)
	}
	is, err = n.Resend(t.Context(), []uint64{1}, func(app string) bool { return app != "default" })
	if err != nil || !slices.Equal(is.Refused, []RefusedLetter{{1, noLetter}}) {
		t.Errorf("of an application that does not match: %+v, %v", is, err)
	}
	waitLetters(t, n, "refused letters", func(all []DeadLetter) bool { return len(all) == 3 })
}
