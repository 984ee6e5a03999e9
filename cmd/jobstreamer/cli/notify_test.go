package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus/notify"
	"github.com/job-streamer/job-streamer-control-bus/bus/notify/senders"
	"github.com/job-streamer/job-streamer-control-bus/httpapi"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// fakeSender is a sender whose answer is err.
type fakeSender struct{ err error }

func (s fakeSender) Target() (kind, host string)                  { return "webhook", "alerts.example.com" }
func (s fakeSender) Accepts(string) error                         { return nil }
func (s fakeSender) Send(context.Context, *senders.Message) error { return s.err }

// lateNotifier is a notifier that gets its bus after the server was made.
type lateNotifier struct{ *notify.Notifier }

func TestNotify(t *testing.T) {
	late := &lateNotifier{}
	e, b := withBus(t, func(cfg *httpapi.Config) { cfg.Notifier = late })
	with := func(set senders.Set) {
		n, err := notify.New(notify.Config{Bus: b, Senders: set})
		if err != nil {
			t.Fatal(err)
		}
		late.Notifier = n
	}
	check := func(args, out, wrong string) {
		t.Helper()
		got := e.runOnce(t.Context(), append([]string{"notify"}, strings.Fields(args)...)...)
		failed := ""
		if got.failed != nil {
			failed = got.failed.Error()
		}
		if got.out != out || failed != wrong {
			t.Errorf("notify %s: printed %q, %q, error %q", args, got.out, got.err, failed)
		}
	}
	with(nil)
	for _, c := range []struct{ args, out, err string }{
		{"list", "No senders: the control bus was started without --senders and --notificator-url.\n", ""},
		{"dead", "No notification is dead.\n", ""},
		{"test", "", "the control bus has no senders to test (--senders); to test its notificator, give a --type"},
	} {
		check(c.args, c.out, c.err)
	}
	with(senders.Set{"ops": fakeSender{}, "bad": fakeSender{errors.New("the receiver answered 503 Service Unavailable")}})
	check("list", "TYPE  KIND\nbad   webhook\nops   webhook\n", "")
	got := e.runOnce(t.Context(), "notify", "test")
	if !errors.Is(got.failed, ErrPrinted) || got.err != "bad: not sent by webhook to alerts.example.com: the receiver answered 503 Service Unavailable\n" ||
		!regexp.MustCompile(`^ops: sent by webhook to alerts\.example\.com in \d+ ms\n$`).MatchString(got.out) {
		t.Errorf("%+v", got)
	}
	if got := e.runOnce(t.Context(), "notify", "test", "--type", "ops", "-o", "json"); got.failed != nil || got.out+got.err != "" {
		t.Errorf("%+v", got)
	}
	check("test --type nobody", "", "this control bus has no sender nobody (--senders) and no notificator (--notificator-url)")
}

// TestNotifyResend records what commands about dead notifications print.
func TestNotifyResend(t *testing.T) {
	late := &lateNotifier{}
	e, b := withBus(t, func(cfg *httpapi.Config) { cfg.Notifier = late })
	n, err := notify.New(notify.Config{Bus: b, Senders: senders.Set{"ops": fakeSender{}}})
	if err != nil {
		t.Fatal(err)
	}
	late.Notifier = n
	for i, kind := range []string{"ops", "gone", "ops", "ops"} {
		d := notify.DeadLetter{
			ID: fmt.Sprintf("status-%d", i), Type: kind, App: "default", Job: "Nightly", Text: "execution is failed", Reason: "the receiver answered 503", Attempts: 10,
			DeadTime: subjects.Now(),
		}
		if i != 2 { // which an older version stored
			d.Message = &senders.Message{ID: d.ID, Type: kind, App: "default", Job: "Nightly", Key: "nightly"}
		}
		detail, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(subjects.Event{Kind: "notification", Detail: detail})
		if err == nil {
			_, err = b.JS.Publish(t.Context(), subjects.DeadLetterSubject("default", "nightly"), data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var all strings.Builder
	for _, line := range []string{
		"dead", "resend", "resend --all 1", "resend one", "resend 0", "resend 4", "resend 4", "resend --all", "resend 2 9 -o json", "dead",
	} {
		got := e.runOnce(t.Context(), append([]string{"notify"}, strings.Fields(line)...)...)
		fmt.Fprintf(&all, "$ jobstreamer notify %s\n%s%s", line, clockTimes.ReplaceAllString(got.out, "(clock)"), got.err)
		if exit := ExitStatus(got.failed); exit != 0 {
			fmt.Fprintf(&all, "=> %d\n", exit)
		}
		all.WriteString("\n")
	}
	checkGolden(t, "resend", all.String())
}
