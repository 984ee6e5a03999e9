package scheduler

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// pastDecision is what a backfill needs of a stored decision.
type pastDecision struct {
	execution     int64
	skipped       string
	closed, waits bool
}

// pastDecisions are stored decisions of a schedule, by the second of the time.
type pastDecisions struct {
	at   map[int64]pastDecision
	runs []skippedRun // by their end
}

// skippedRun are consecutive skipped times that share a key.
type skippedRun struct {
	from, to int64 // seconds, both included
	reason   string
}

func pastDecisionOf(f *bus.Fire) pastDecision {
	return pastDecision{execution: f.Execution, skipped: f.Skipped, closed: f.Closed, waits: f.Waits()}
}

// leftOut returns why a time with this decision does not fire again, or "".
func (d *pastDecision) leftOut() string {
	switch {
	case d.skipped == bus.CodeNoSuchExecution: // it was deleted while the fire was being submitted
		return leftFired
	case d.skipped != "":
		return ""
	case d.waits:
		return leftWaiting
	}
	return leftFired
}

// skippedWithin returns the reason why a time without a key of its own was
// skipped in a run, or "".
func (d *pastDecisions) skippedWithin(second int64) string {
	i, _ := slices.BinarySearchFunc(d.runs, second, func(r skippedRun, s int64) int { return cmp.Compare(r.to, s) })
	if i < len(d.runs) && d.runs[i].from <= second {
		return d.runs[i].reason
	}
	return ""
}

// planBackfill returns which of the plan's nominal times t, from <= t < to, a
// backfill fires. It is a pure function of the plan and the stored decisions.
func (p *plan) planBackfill(from, to, now time.Time, limit int, past *pastDecisions) Backfilled {
	out := Backfilled{From: from.In(p.loc), To: to.In(p.loc)}
	examined := 0
	for t := range p.timesBetween(from.Add(-1), to.Add(-1)) {
		if examined++; len(out.Fires) == limit || examined > maxExamined {
			out.Next = t
			break
		}
		if left := p.leaveOut(t, now, past); left != nil {
			out.addLeftOut(*left)
			continue
		}
		d := p.decisionAt(t)
		f := BackfilledTime{Time: t.In(p.loc), Date: d.Date.String(), Was: past.skippedWithin(t.Unix())}
		if was, ok := past.at[t.Unix()]; ok {
			f.Was = was.skipped
		}
		if !d.From.IsZero() {
			f.From = d.From.In(p.loc)
		}
		out.Fires = append(out.Fires, f)
	}
	if p.moved == nil {
		return out
	}
	if !out.Next.IsZero() {
		to = out.Next
	}
	for d := range p.moved.Decisions(from.Add(-1), to.Add(-1)) {
		if d.Fires {
			continue
		}
		left := LeftOut{Time: d.Time.In(p.loc), Reason: leftHoliday, Text: fmt.Sprint(d.Why)}
		if !d.To.IsZero() {
			left.Text += "; " + ShownTime(d.To.In(p.loc)) + " is there in its place"
		}
		out.addLeftOut(left)
	}
	out.sortLeftOut()
	return out
}

func (b *Backfilled) addLeftOut(l LeftOut) {
	if b.LeftOutCount++; len(b.LeftOut) < 2*maxLeftOut { // those on holidays are merged in later
		b.LeftOut = append(b.LeftOut, l)
	}
}

// sortLeftOut sorts the times left out, and keeps the first maxLeftOut of them.
func (b *Backfilled) sortLeftOut() {
	slices.SortStableFunc(b.LeftOut, func(x, y LeftOut) int { return x.Time.Compare(y.Time) })
	b.LeftOut = b.LeftOut[:min(len(b.LeftOut), maxLeftOut)]
}

// leaveOut returns why a nominal time does not fire, or nil if it fires.
func (p *plan) leaveOut(t, now time.Time, past *pastDecisions) *LeftOut {
	left := &LeftOut{Time: t.In(p.loc)}
	if was, ok := past.at[t.Unix()]; ok {
		left.Reason, left.Execution = was.leftOut(), was.execution
		switch left.Reason {
		case leftFired:
			left.Text = fmt.Sprintf("execution %d", was.execution)
			return left
		case leftWaiting:
			left.Text = fmt.Sprintf("execution %d waits in another backfill", was.execution)
			return left
		}
		left.Execution = 0
	}
	if due := t.Add(p.shift); due.After(now) {
		left.Reason, left.Text = leftNotDue, "the schedule fires it at "+ShownTime(due.In(p.loc))
		return left
	}
	sources, last := 0, int64(0)
	for source := range p.movedTo(t) {
		was, ok := past.at[source.Unix()]
		if !ok || was.leftOut() == "" {
			return nil
		}
		sources, last = sources+1, was.execution
	}
	if sources == 0 {
		return nil
	}
	left.Reason, left.Execution = leftDecided, last
	left.Text = fmt.Sprintf("it is there in place of times that fired, the last one as execution %d", last)
	return left
}
