package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Reason says what became of the last time before a moment at which a job could
// have started, by one of its schedules or by its triggers.
type Reason struct {
	Schedule string // its name; empty: triggers, or the job has nothing that starts it
	Outcome  Outcome
	Nominal  time.Time // in the time zone of the schedule; zero: none
	Text     string    // a sentence for people
	Decision *Decided  // nil: none
}

// Outcome is a word for what became of a time.
type Outcome string

// The outcomes.
const (
	OutcomeFired     Outcome = "fired"
	OutcomeCaughtUp  Outcome = "caught_up"
	OutcomeTriggered Outcome = "triggered"
	OutcomeSkipped   Outcome = "skipped"
	OutcomeHoliday   Outcome = "holiday"   // a calendar excludes the time, or moves it
	OutcomePaused    Outcome = "paused"    // the schedule is paused
	OutcomeNotDue    Outcome = "not_due"   // the time is to come
	OutcomeEdited    Outcome = "edited"    // the schedule was stored later
	OutcomeForgotten Outcome = "forgotten" // decisions of that age are not kept
	OutcomeUndecided Outcome = "undecided" // no bus has decided yet
	OutcomeUnmet     Outcome = "unmet"     // triggers wait for other jobs
	OutcomeNone      Outcome = "none"      // nothing starts the job
)

// maxLookBack is how far back [Scheduler.Why] looks for the last nominal time.
const maxLookBack = 5 * 366 * 24 * time.Hour

// Why returns why a job did or did not start: for each of its schedules what
// became of the last nominal time at or before a moment, and what became of its
// triggers. It reads; it decides nothing.
func (s *Scheduler) Why(ctx context.Context, app, job string, at time.Time) ([]Reason, error) {
	all, err := s.StoredAll(ctx, app, job)
	if err != nil {
		return nil, err
	}
	var reasons []Reason
	for i := range all {
		r, err := s.whySchedule(ctx, &all[i], at)
		if err != nil {
			return nil, err
		}
		reasons = append(reasons, r)
	}
	def, _, _ := s.index.Definition(app, job)
	if def != nil && def.Settings.Triggers != nil {
		r, err := s.whyTriggers(ctx, &index.Started{App: app, Job: job, Triggers: def.Settings.Triggers}, at)
		if err != nil {
			return nil, err
		}
		reasons = append(reasons, r)
	}
	if len(reasons) == 0 {
		reasons = []Reason{{Outcome: OutcomeNone, Text: "The job has no schedule and no triggers: it runs only when somebody starts it."}}
	}
	return reasons, nil
}

// whySchedule explains the last nominal time of a schedule at or before a moment.
func (s *Scheduler) whySchedule(ctx context.Context, sc *bus.Schedule, at time.Time) (Reason, error) {
	r := Reason{Schedule: sc.Key().Name()}
	p, err := s.plans.planFor(sc)
	if err != nil {
		r.Outcome, r.Text = OutcomeNone, fmt.Sprintf("This version cannot read the schedule, so it does not fire: %v.", err)
		return r, nil
	}
	last := p.newestBetween(at.Add(-maxLookBack), at, 1)
	if d, ok := p.lastHoliday(at); ok && (len(last) == 0 || d.Time.After(last[0])) {
		r.Outcome, r.Nominal = OutcomeHoliday, d.Time
		r.Text = fmt.Sprintf("%s does not fire: %v", ShownTime(d.Time), d.Why)
		if !d.To.IsZero() {
			r.Text += "; " + ShownTime(d.To) + " fires instead"
		}
		r.Text += "."
		return r, nil
	}
	if len(last) == 0 {
		r.Outcome, r.Text = OutcomeNotDue, "The schedule has no time until then"
		if next := p.nextAfter(at); !next.IsZero() {
			r.Text += "; its next one is " + ShownTime(next)
		}
		if s.isHeld(sc.App) {
			r.Text += ", but " + s.groupPauseText(sc.App, time.Now(), p.loc)
		}
		r.Text += "."
		return r, nil
	}
	r.Nominal = last[0]
	r.Decision, err = s.decisionAbout(ctx, sc.Key(), r.Nominal)
	if err != nil {
		return r, err
	}
	if r.Decision != nil {
		r.Outcome, r.Text = explainDecision(sc, r.Decision, r.Nominal)
		if text := s.groupPauseText(sc.App, r.Nominal.Add(p.shift), r.Nominal.Location()); text != "" && r.Decision.Skipped == skippedPaused {
			r.Text = fmt.Sprintf("%s was skipped: %s.", ShownTime(r.Nominal), text)
		}
		if from := r.Decision.From; from != 0 {
			r.Text += fmt.Sprintf(" It is there in place of %s, which a calendar excludes.", ShownTime(from.Std().In(p.loc)))
		}
		return r, nil
	}
	r.Outcome, r.Text = s.explainNone(sc, r.Nominal, r.Nominal.Add(p.shift), time.Now())
	return r, nil
}

// maxHolidays is how far back [Scheduler.Why] looks for a time on a holiday.
const maxHolidays = 60 * 24 * time.Hour

// lastHoliday returns the last time at or before a moment that the calendar
// excludes.
func (p *plan) lastHoliday(at time.Time) (last calendar.Decision, ok bool) {
	if p.moved == nil {
		return last, false
	}
	for back := 2 * 24 * time.Hour; back <= maxHolidays && !ok; back *= 5 {
		for d := range p.moved.Decisions(at.Add(-back), at) {
			if !d.Fires {
				last, ok = d, true
			}
		}
	}
	return last, ok
}

// explainDecision explains a stored decision about a nominal time.
func explainDecision(sc *bus.Schedule, d *Decided, nominal time.Time) (Outcome, string) {
	late := d.Time.Std().Sub(nominal).Round(time.Second)
	switch {
	case d.Skipped != "":
		return OutcomeSkipped, fmt.Sprintf("%s was skipped: %s.", ShownTime(nominal), skipText(sc, d, d.Time.Std().In(nominal.Location()), late))
	case d.CaughtUp:
		return OutcomeCaughtUp, fmt.Sprintf("%s fired %v late as execution %d: no bus ran at that time, or it could not decide.", ShownTime(nominal), late, d.Execution)
	}
	text := fmt.Sprintf("%s fired as execution %d.", ShownTime(nominal), d.Execution)
	if d.Backfill != nil {
		return OutcomeFired, text + backfillText(d, nominal.Location())
	}
	if queuesFires(d.Overlap) {
		text += " With overlap " + d.Overlap + " it starts after the earlier executions of the schedule have ended."
	}
	return OutcomeFired, text
}

// backfillText says who fired a nominal time after it had passed.
func backfillText(d *Decided, zone *time.Location) string {
	text := fmt.Sprintf(" Backfill %d ordered it at %s", d.Backfill.ID, ShownTime(d.Time.Std().In(zone)))
	if d.Backfill.By != "" {
		text += " by " + d.Backfill.By
	}
	text += "."
	if d.Waits() {
		text += fmt.Sprintf(" It waits for its turn: at most %d of the backfill run at the same time.", d.Backfill.Concurrency)
	}
	if d.Backfill.Was != "" {
		text += " Before, it had been skipped: " + strings.ReplaceAll(d.Backfill.Was, "_", " ") + "."
	}
	return text
}

// skipText says why a nominal time was skipped. It was decided at a moment, so
// late.
func skipText(sc *bus.Schedule, d *Decided, decided time.Time, late time.Duration) string {
	switch d.Skipped {
	case skippedMisfire:
		return fmt.Sprintf("it was decided %v late, which is a misfire, and with misfire %s it does not fire", late, cmp.Or(sc.Misfire, bus.MisfireFireOnce))
	case skippedLimit:
		return fmt.Sprintf("it was decided %v late, and more recent times used up the catch_up_limit", late)
	case skippedWindow:
		return fmt.Sprintf("it was decided %v late, which is more than the catch_up_window", late)
	case skippedOverlap:
		return fmt.Sprintf("execution %d had not ended, and the overlap policy is %s", d.BlockedBy, cmp.Or(d.Overlap, sc.Overlap))
	case skippedEdited:
		return "it was late and undecided when the schedule was edited, paused or removed at " + ShownTime(decided)
	case skippedPaused:
		return "the schedule was paused; the pause ended, or the schedule changed during it, at " + ShownTime(decided)
	case skippedDeleted:
		return "it was undecided when the job was deleted at " + ShownTime(decided)
	case skippedCancelled:
		return fmt.Sprintf("backfill %d was to fire it, but was cancelled while it waited", d.Backfill.ID)
	case bus.CodeNoSuchJob:
		return "the job did not exist any more"
	}
	return strings.ReplaceAll(d.Skipped, "_", " ")
}

// explainNone explains why there is no decision about a nominal time that is
// due at a moment.
func (s *Scheduler) explainNone(sc *bus.Schedule, nominal, due, now time.Time) (Outcome, string) {
	since := sc.Since.Std().In(nominal.Location())
	held := ""
	if s.isHeld(sc.App) {
		held = s.groupPauseText(sc.App, due, nominal.Location())
	}
	switch kept := s.bus.Retention().Fires; {
	case due.After(now) && held != "":
		return OutcomePaused, fmt.Sprintf("%s is to come, but %s.", ShownTime(nominal), held)
	case due.After(now) && !sc.Active:
		return OutcomePaused, fmt.Sprintf("%s is to come, but the schedule is paused since %s.", ShownTime(nominal), ShownTime(since))
	case due.After(now):
		return OutcomeNotDue, fmt.Sprintf("%s is to come: it fires in %v.", ShownTime(nominal), due.Sub(now).Round(time.Second))
	case !since.Before(nominal) && !sc.Active:
		return OutcomeEdited, fmt.Sprintf("%s was before the schedule was stored or paused at %s, and nothing is known about it.", ShownTime(nominal), ShownTime(since))
	case !since.Before(nominal):
		return OutcomeEdited, fmt.Sprintf("%s was before the schedule was stored or resumed at %s: it fires from then on.", ShownTime(nominal), ShownTime(since))
	case !sc.Active:
		return OutcomePaused, fmt.Sprintf("%s did not fire: the schedule is paused since %s.", ShownTime(nominal), ShownTime(since))
	case held != "":
		return OutcomePaused, fmt.Sprintf("%s did not fire: %s.", ShownTime(nominal), held)
	case nominal.Before(now.Add(-kept)):
		return OutcomeForgotten, fmt.Sprintf("%s is too long ago: decisions are kept for %v.", ShownTime(nominal), kept)
	}
	return OutcomeUndecided, fmt.Sprintf("No control bus has decided about %s yet; the one that leads decides it within seconds, as soon as it reaches JetStream.", ShownTime(nominal))
}

// groupPauseText says which pause of all schedules, or of an application, a
// moment is in; "" if it is in none. Of several it names the one that
// explainsBetter than the others.
func (s *Scheduler) groupPauseText(app string, at time.Time, zone *time.Location) string {
	var found *bus.PausePeriod
	what, second := "", subjects.TimeOf(at)
	set := s.index.Pauses()
	for _, group := range []struct{ app, what string }{{"", "all schedules"}, {app, "the schedules of application " + app}} {
		all := set.Of(group.app)
		if all == nil {
			continue
		}
		for i := range all.Periods {
			p := &all.Periods[i]
			if p.From >= second || !p.IsOn() && p.To < second {
				continue
			}
			if found == nil || explainsBetter(p, found) {
				found, what = p, group.what
			}
		}
	}
	if found == nil {
		return ""
	}
	text := what + " are paused since " + ShownTime(found.From.Std().In(zone))
	if !found.IsOn() {
		text = fmt.Sprintf("%s were paused from %s to %s", what, ShownTime(found.From.Std().In(zone)), ShownTime(found.To.Std().In(zone)))
	}
	if found.By != "" {
		text += ", by " + found.By
	}
	if found.Reason != "" {
		text += " (" + found.Reason + ")"
	}
	return text
}

// explainsBetter reports whether the pause p says more than q about why a time
// during both did not fire: the one that is on, the older one of two that are
// on, or else the one that ended without catch_up, or that ended last.
func explainsBetter(p, q *bus.PausePeriod) bool {
	switch {
	case p.IsOn() != q.IsOn():
		return p.IsOn()
	case p.IsOn():
		return p.From <= q.From
	case p.CatchUp != q.CatchUp:
		return q.CatchUp
	}
	return p.To >= q.To
}

// whyTriggers explains the last start by triggers before a moment, or what they
// wait for.
func (s *Scheduler) whyTriggers(ctx context.Context, started *index.Started, at time.Time) (Reason, error) {
	var last *Decided
	seen := map[bus.ScheduleKey]bool{}
	for _, t := range started.Triggers.Jobs {
		key := triggerKey(started, t.App, t.Job)
		if seen[key] {
			continue
		}
		seen[key] = true
		all, err := s.listTriggered(ctx, key, FireQuery{To: at.Add(time.Millisecond)})
		if err != nil {
			return Reason{}, err
		}
		for i := range all {
			if last == nil || all[i].Nominal > last.Nominal {
				last = &all[i]
			}
		}
	}
	if last == nil {
		if text := s.groupPauseText(started.App, at, s.plans.zone); text != "" && s.isHeld(started.App) {
			return Reason{Outcome: OutcomePaused, Text: "Its triggers have started nothing until then, and start nothing for now: " + text + "."}, nil
		}
		return Reason{Outcome: OutcomeUnmet, Text: "Its triggers have started nothing until then: " + s.unmetText(started, nil, at) + "."}, nil
	}
	r := Reason{Outcome: OutcomeTriggered, Nominal: last.Nominal.Std().In(s.plans.zone), Decision: last}
	var causes []string
	for _, c := range last.Causes {
		causes = append(causes, fmt.Sprintf("execution %d of %s", c.Execution, s.shownJob(c.App, c.Job)))
	}
	r.Text = fmt.Sprintf("At %s %s started execution %d.", ShownTime(r.Nominal), strings.Join(causes, " and "), last.Execution)
	if since := s.unmetText(started, last.Causes, at); since != "" {
		r.Text += " Since then " + since + "."
	}
	if last.Skipped != "" {
		r.Outcome, r.Text = OutcomeSkipped, fmt.Sprintf("At %s %s met the triggers, but nothing was started: %s.", ShownTime(r.Nominal), strings.Join(causes, " and "), last.Skipped)
	}
	return r, nil
}

// unmetText says, for each trigger of a job, what the last execution of the
// other job before a moment is. It leaves out those in done.
func (s *Scheduler) unmetText(started *index.Started, done []bus.Cause, at time.Time) string {
	var all []string
	for _, t := range started.Triggers.Jobs {
		of := s.index.CreatedSince(t.App, t.Job, 0)
		i := slices.IndexFunc(of, func(e index.Summary) bool { return e.CreateTime.Std().Before(at) })
		name := s.shownJob(t.App, t.Job)
		if i < 0 {
			all = append(all, fmt.Sprintf("%s has no execution", name))
			continue
		}
		if slices.Contains(done, causeOf(&of[i])) {
			continue
		}
		text := fmt.Sprintf("execution %d of %s is %s", of[i].ID, name, of[i].BatchStatus)
		if date := s.businessDate(&of[i]); started.Triggers.All {
			text += " for " + date
		}
		if !t.Matches(of[i].BatchStatus, of[i].ExitStatus) {
			text += ", where " + t.On + " is wanted"
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

func (s *Scheduler) shownJob(app, job string) string {
	return bus.JobKey(app, s.index.JobName(app, job))
}

// ShownTime returns a time as the sentences of [Scheduler.Why] have it.
func ShownTime(t time.Time) string { return t.Format("2006-01-02 15:04:05 MST") }
