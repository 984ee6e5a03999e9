package httpapi

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/notify"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

func (s *Server) listSenders(context.Context, *struct{}) (*answer[rest.Senders], error) {
	out := &answer[rest.Senders]{rest.Senders{Results: []rest.Sender{}}}
	if s.cfg.Notifier == nil {
		return out, nil
	}
	for _, is := range s.cfg.Notifier.Senders() {
		out.Body.Results = append(out.Body.Results, rest.Sender{Name: orNil(is.Name), Kind: is.Kind})
	}
	return out, nil
}

// newTestNotification is the body that sends a test notification.
type newTestNotification rest.NewTestNotification

// Validate returns all that is wrong with the values.
func (sent *newTestNotification) Validate() (wrong codec.Faults) {
	checkType(&wrong, "/type", sent.Type)
	return wrong
}

type postTestNotification struct {
	Sent body[newTestNotification]
}

// postTestNotification sends a test notification. That it was not sent is an
// answer, not an error.
func (s *Server) postTestNotification(ctx context.Context, in *postTestNotification) (*answer[rest.TestNotification], error) {
	if s.cfg.Notifier == nil {
		return nil, bus.State(bus.CodeNoNotificator, "this control bus sends no notifications")
	}
	began := time.Now()
	by, err := s.cfg.Notifier.Test(ctx, in.Sent.value.Type, senderID(ctx))
	if err != nil && !errors.Is(err, notify.ErrNotSent) {
		return nil, err
	}
	noteObject(ctx, by.Name)
	out := &answer[rest.TestNotification]{rest.TestNotification{
		Type: in.Sent.value.Type, Kind: by.Kind, Host: by.Host, Sent: err == nil, Duration: time.Since(began).Milliseconds(),
	}}
	if err != nil {
		out.Body.Reason = err.Error()
	}
	return out, nil
}

// listDeadNotifications is a query of notifications that were not sent.
type listDeadNotifications struct {
	Limit int `query:"limit" minimum:"1" maximum:"1000" default:"20" doc:"Maximum number of entries."`
}

func (s *Server) listDeadNotifications(ctx context.Context, in *listDeadNotifications) (*answer[rest.DeadNotifications], error) {
	out := &answer[rest.DeadNotifications]{rest.DeadNotifications{Results: []rest.DeadNotification{}}}
	if s.cfg.Notifier == nil {
		return out, nil
	}
	all, err := s.cfg.Notifier.DeadLetters(ctx, in.Limit, appReader(ctx))
	if err != nil {
		return nil, err
	}
	for i := range all {
		d := &all[i]
		out.Body.Results = append(out.Body.Results, rest.DeadNotification{
			Number: d.Number, ID: d.ID, Kind: d.Kind, Type: d.Type, App: d.App, Job: d.Job, ExecutionID: orNil(d.Execution), Text: d.Text,
			Reason: d.Reason, Attempts: d.Attempts, CreateTime: d.CreateTime, DeadTime: d.DeadTime,
		})
	}
	return out, nil
}

// newResend is the body that sends dead notifications again.
type newResend rest.NewResend

// Validate returns all that is wrong with the values.
func (sent *newResend) Validate() (wrong codec.Faults) {
	switch n := len(sent.Numbers); {
	case sent.All && n > 0:
		wrong.Add("/numbers", "no numbers beside all", strconv.Itoa(n)+" numbers")
	case !sent.All && (n == 0 || n > notify.MaxResend):
		wrong.Add("/numbers", fmt.Sprintf("1 to %d numbers, or all", notify.MaxResend), strconv.Itoa(n)+" numbers")
	}
	for i, number := range sent.Numbers {
		if number < 1 {
			wrong.Add("/numbers/"+strconv.Itoa(i), "a number from 1", strconv.FormatInt(number, 10))
		}
	}
	return wrong
}

type postResend struct {
	Sent body[newResend]
}

// postResend sends dead notifications again. That some were refused is an
// answer, not an error.
func (s *Server) postResend(ctx context.Context, in *postResend) (*answer[rest.Resend], error) {
	if s.cfg.Notifier == nil {
		return nil, bus.State(bus.CodeNoNotificator, "this control bus sends no notifications")
	}
	var numbers []uint64
	for _, number := range in.Sent.value.Numbers {
		numbers = append(numbers, uint64(number)) // from 1
	}
	is, err := s.cfg.Notifier.Resend(ctx, numbers, appReader(ctx))
	if err != nil {
		return nil, err
	}
	out := &answer[rest.Resend]{rest.Resend{Queued: is.Queued, Refused: []rest.RefusedResend{}, More: is.More}}
	for _, r := range is.Refused {
		out.Body.Refused = append(out.Body.Refused, rest.RefusedResend{Number: r.Number, Reason: r.Reason})
	}
	return out, nil
}

// listAlerts is a query of alerts.
type listAlerts struct {
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"20" doc:"Maximum number of entries."`
	App   string `query:"app" doc:"Application of the job."`
	Job   string `query:"job" doc:"Name of the job when the alert was raised."`
}

func (s *Server) listAlerts(ctx context.Context, in *listAlerts) (*answer[rest.Alerts], error) {
	out := &answer[rest.Alerts]{rest.Alerts{Results: []rest.Alert{}}}
	if s.cfg.Notifier == nil {
		return out, nil
	}
	mayRead := appReader(ctx)
	for _, a := range s.cfg.Notifier.Alerts(in.Limit, func(a *bus.Alert) bool {
		return (in.App == "" || in.App == a.App) && (in.Job == "" || in.Job == a.Name) && mayRead(a.App)
	}) {
		out.Body.Results = append(out.Body.Results, rest.Alert{
			App: a.App, Job: a.Name, Rule: a.Rule, ExecutionID: orNil(a.Execution), DueTime: a.Due, Time: a.Time, Text: a.Text,
			Type: a.Type, Notified: a.Notified,
		})
	}
	return out, nil
}
