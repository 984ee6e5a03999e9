package senders

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Kinds of messages.
const (
	KindStatus = "status" // an execution has reached a status
	KindAlert  = "alert"  // something takes too long
	KindTest   = "test"   // somebody tests a sender
)

// Message is one notification, in the form in which it waits in NATS.
type Message struct {
	ID   string        `json:"id"` // the same for all attempts
	Kind string        `json:"kind"`
	Type string        `json:"type"` // names the sender, and maybe a recipient
	Time subjects.Time `json:"time"`
	App  string        `json:"app,omitempty"`
	Job  string        `json:"job,omitempty"`      // the job's name
	Key  string        `json:"job_key,omitempty"`  // the job's key, which is one token of a subject
	Text string        `json:"text,omitempty"`     // of an alert or a test
	Late int           `json:"duration,omitempty"` // of an alert: the minutes of the time monitor

	Execution *subjects.Execution `json:"execution,omitempty"`

	Resent uint64 `json:"resent,omitempty"` // number of the dead letter that was sent again
}

// Name returns the name of the sender that the message's type names.
func (m *Message) Name() string { name, _ := SplitType(m.Type); return name }

// SplitType splits the type of a notification into the name of a sender and a
// recipient, which is empty for the sender's own.
func SplitType(kind string) (name, recipient string) {
	name, recipient, _ = strings.Cut(kind, ":")
	return name, recipient
}

// Subject returns the message in one line.
func (m *Message) Subject() string {
	switch {
	case m.Kind == KindTest:
		return "test of notifications"
	case m.Text != "":
		return m.jobPath() + ": " + m.Text
	case m.Execution == nil:
		return m.jobPath()
	}
	text := fmt.Sprintf("%s: execution %d is %s", m.jobPath(), m.Execution.ID, m.Execution.BatchStatus)
	if exit := m.Execution.ExitStatus; exit != "" && !strings.EqualFold(exit, string(m.Execution.BatchStatus)) {
		text += ", exit status " + firstLine(exit)
	}
	return text
}

func (m *Message) jobPath() string { return m.App + "/" + m.Job }

// firstLine returns the first line of a text, at most 200 bytes.
func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "..."
	}
	return s
}

// body returns the message as text of several lines.
func (m *Message) body() string {
	var b strings.Builder
	b.WriteString(m.Subject() + "\n")
	if m.Kind == KindTest {
		b.WriteString("\n" + m.Text + "\n")
	}
	if e := m.Execution; e != nil {
		fmt.Fprintf(&b, "\nApplication: %s\nJob:         %s\nExecution:   %d\nStatus:      %s\n", m.App, m.Job, e.ID, e.BatchStatus)
		fmt.Fprintf(&b, "Exit status: %s\nStarted:     %s\nEnded:       %s\n", cmp.Or(firstLine(e.ExitStatus), "-"), timeText(e.StartTime), timeText(e.EndTime))
		if e.Agent != "" {
			fmt.Fprintf(&b, "Agent:       %s\n", e.Agent)
		}
		for i := range e.StepExecutions {
			s := &e.StepExecutions[i]
			fmt.Fprintf(&b, "Step:        %s is %s", s.Step, s.BatchStatus)
			if s.ExitStatus != "" {
				fmt.Fprintf(&b, ", exit status %s", firstLine(s.ExitStatus))
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func timeText(t subjects.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Std().UTC().Format(time.RFC3339)
}
