package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/notify/senders"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// DeadLetter is a notification that was not sent.
type DeadLetter struct {
	Number     uint64        `json:"-"` // sequence in the stream of dead letters
	ID         string        `json:"id"`
	Kind       string        `json:"kind"`
	Type       string        `json:"type"`
	App        string        `json:"app"`
	Job        string        `json:"job"`
	Execution  int64         `json:"execution_id,omitempty"`
	Text       string        `json:"text"`
	Reason     string        `json:"reason"` // of the last attempt's failure
	Attempts   int           `json:"attempts"`
	CreateTime subjects.Time `json:"create_time"`
	DeadTime   subjects.Time `json:"dead_time"`

	// Message is what can be sent again. Older versions stored none, and one that
	// is too large for the event is left out.
	Message *senders.Message `json:"message,omitempty"`
}

// headerRoom is how many bytes of the largest message are left to headers.
const headerRoom = 1024

// storeDead stores and publishes the event that a notification was not sent.
func (n *Notifier) storeDead(ctx context.Context, m *senders.Message, attempts int, why error) error {
	d := DeadLetter{
		ID: m.ID, Kind: m.Kind, Type: m.Type, App: m.App, Job: m.Job, Text: m.Subject(), Reason: why.Error(),
		Attempts: attempts, CreateTime: m.Time, DeadTime: subjects.Now(), Message: m,
	}
	if m.Execution != nil {
		d.Execution = m.Execution.ID
	}
	data, err := d.marshalEvent(m.App + "." + m.Key)
	if err == nil && int64(len(data)) > n.b.NC.MaxPayload()-headerRoom {
		d.Message = nil
		data, err = d.marshalEvent(m.App + "." + m.Key)
	}
	if err != nil {
		return err
	}
	id := m.ID
	if m.Resent != 0 { // the broker may still know the id of the first dead letter
		id = fmt.Sprintf("%s-resent-%d", m.ID, m.Resent)
	}
	return n.publishOnce(ctx, subjects.DeadLetterSubject(m.App, m.Key), id, data)
}

// marshalEvent returns the event that the letter's notification was not sent.
func (d *DeadLetter) marshalEvent(subject string) ([]byte, error) {
	detail, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	return json.Marshal(subjects.Event{Kind: "notification", Time: d.DeadTime, Subject: subject, What: "dead", Detail: detail})
}

// DeadLetters returns the last limit notifications that were not sent, newest
// first, of the applications that match.
func (n *Notifier) DeadLetters(ctx context.Context, limit int, match func(app string) bool) ([]DeadLetter, error) {
	s, err := n.deadStream(ctx)
	if err != nil {
		return nil, err
	}
	return lastLetters(ctx, s, limit, match)
}

// deadStream returns the stream of dead letters and its current state.
func (n *Notifier) deadStream(ctx context.Context) (jetstream.Stream, error) {
	s, err := n.b.JS.Stream(ctx, subjects.DeadLettersStream)
	if err != nil {
		return nil, fmt.Errorf("read dead letters: %w: %w", bus.ErrAway, err)
	}
	return s, nil
}

// lastLetters returns the last limit dead letters, newest first, of the
// applications that match.
func lastLetters(ctx context.Context, s jetstream.Stream, limit int, match func(app string) bool) (all []DeadLetter, err error) {
	state := s.CachedInfo().State
	for seq := state.LastSeq; seq >= max(state.FirstSeq, 1) && len(all) < limit; seq-- {
		d, err := readLetter(ctx, s, seq)
		if err != nil {
			return nil, err
		}
		if d != nil && match(d.App) {
			all = append(all, *d)
		}
	}
	return all, nil
}

// readLetter returns the dead letter with a number, or nil if there is none.
func readLetter(ctx context.Context, s jetstream.Stream, number uint64) (*DeadLetter, error) {
	m, err := s.GetMsg(ctx, number)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read dead letter %d: %w: %w", number, bus.ErrAway, err)
	}
	var e subjects.Event
	d := DeadLetter{}
	if json.Unmarshal(m.Data, &e) != nil || json.Unmarshal(e.Detail, &d) != nil {
		return nil, nil
	}
	d.Number = number
	return &d, nil
}

// MaxResend is how many dead letters one call of [Notifier.Resend] takes.
const MaxResend = 1000

// Resent says what became of dead letters that were to be sent again.
type Resent struct {
	Queued  int
	Refused []RefusedLetter // in the order of their numbers
	More    bool            // there are older dead letters, which were left alone
}

// RefusedLetter is a dead letter that was not queued again, and why.
type RefusedLetter struct {
	Number uint64
	Reason string
}

const (
	noLetter   = "there is no such dead notification; it was sent again, or is older than 30 days"
	noMessage  = "its message was not stored: an older control bus gave it up, or the message is too large"
	sentBefore = "it was queued again already"
)

// duplicateInFlight is the broker's error code for a message whose id belongs to
// another message that a cluster is storing.
const duplicateInFlight = 10158

// Resend queues dead letters again, as new notifications with all attempts. It
// takes those with the numbers, or the last [MaxResend] if there are none, of
// the applications that match. A letter that is refused stays. Errors: ErrAway.
func (n *Notifier) Resend(ctx context.Context, numbers []uint64, match func(app string) bool) (out Resent, err error) {
	s, err := n.deadStream(ctx)
	if err != nil {
		return out, err
	}
	numbers = slices.Clone(numbers)
	if len(numbers) == 0 {
		last, err := lastLetters(ctx, s, MaxResend+1, match)
		if err != nil {
			return out, err
		}
		out.More = len(last) > MaxResend
		for i := range last[:min(len(last), MaxResend)] {
			numbers = append(numbers, last[i].Number)
		}
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	reasons := make([]string, len(numbers))
	var g errgroup.Group
	g.SetLimit(maxPosts)
	for i, number := range numbers {
		g.Go(func() error { reasons[i] = n.resendLetter(ctx, s, number, match); return nil })
	}
	_ = g.Wait() // each reason is in the answer
	for i, reason := range reasons {
		if reason == "" {
			out.Queued++
		} else {
			out.Refused = append(out.Refused, RefusedLetter{numbers[i], reason})
		}
	}
	return out, nil
}

// resendLetter queues a dead letter again and then removes it. It returns why it
// did not queue the letter, or "". Of several callers at the same time the
// broker lets one queue it. If the letter cannot be removed, it stays, and for
// an hour the broker drops what is queued of it.
func (n *Notifier) resendLetter(ctx context.Context, s jetstream.Stream, number uint64, match func(app string) bool) (reason string) {
	d, err := readLetter(ctx, s, number)
	switch {
	case err != nil:
		return err.Error()
	case d == nil || !match(d.App):
		return noLetter
	case d.Message == nil:
		return noMessage
	}
	if _, _, err := n.senderOf(d.Type); err != nil {
		return err.Error()
	}
	// The end of the request does not leave a letter that is queued and dead.
	ctx = context.WithoutCancel(ctx)
	d.Message.Resent = number
	data, err := json.Marshal(d.Message)
	if err != nil {
		return err.Error()
	}
	msg := &nats.Msg{Subject: subjects.NotificationSubject(d.Message.App, d.Message.Key), Data: data}
	ack, err := n.b.JS.PublishMsg(ctx, msg, jetstream.WithMsgID(fmt.Sprintf("resend-%d-%s", number, d.ID)))
	var refused *jetstream.APIError
	if errors.As(err, &refused) && refused.ErrorCode == duplicateInFlight {
		return sentBefore
	}
	if err != nil {
		return fmt.Sprintf("it may not be queued, and stays: %s", err)
	}
	log := n.logOf(d.Message).With("dead_letter", number)
	if err := removeLetter(ctx, s, number); err != nil {
		log.Warn("dead letter queued again, but not removed", "err", err)
	}
	if ack.Duplicate {
		return sentBefore
	}
	log.Info("dead letter queued again")
	return ""
}

// removeLetter removes a dead letter. That it is gone already is no error.
func removeLetter(ctx context.Context, s jetstream.Stream, number uint64) error {
	err := s.DeleteMsg(ctx, number)
	if err == nil {
		return nil
	}
	if _, missing := s.GetMsg(ctx, number); errors.Is(missing, jetstream.ErrMsgNotFound) {
		return nil
	}
	return err
}
