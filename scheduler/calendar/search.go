package calendar

import (
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/clock"
)

// search looks for the decisions of a plan. Only one goroutine may use it.
type search struct {
	*Plan
	clocks clock.Clocks
}

func (p *Plan) newSearch() search { return search{p, clock.ClocksOf(p.Zone)} }

// dateAt returns the business date of a Unix second.
func (q *search) dateAt(u int64) Date {
	return dateOfCivil(q.clocks.LatestShown(u) - clock.Civil(q.Days.start))
}

// startOf returns the Unix second at which the business day of a date begins.
func (q *search) startOf(date Date) int64 {
	u, _ := q.clocks.FirstShown(date.civilAt(q.Days.start))
	return u
}

// fire is a time that fires.
type fire struct {
	at    int64
	date  Date
	moved bool
	from  int64 // the first time that was moved to at, if moved
}

// decideNext is Next for a Unix second.
func (q *search) decideNext(u int64) (d Decision, ok bool) {
	f, ok := q.nextFire(u)
	if !ok {
		return Decision{}, false
	}
	d = Decision{Time: q.timeOf(f.at), Date: f.date, Fires: true, Clock: q.clocks.ChangeAt(f.at)}
	if f.moved {
		d.From = q.timeOf(f.from)
		d.Why = q.reason(q.dateAt(f.from))
	}
	return d, true
}

// nextFire returns the first fire after u. It asks the schedule only once if no
// holiday is near.
func (q *search) nextFire(u int64) (fire, bool) {
	n, ok := q.nextNominal(u)
	if !q.Substitution.moves() {
		return q.skipHolidays(n, ok)
	}
	today := q.dateAt(u)
	if ok {
		date := q.dateAt(n)
		switch open := q.Days.IsBusinessDay(date); {
		case open && q.isUndisturbed(today, date):
			return fire{at: n, date: date}, true
		case !open && q.Substitution != PreviousDay && q.isUndisturbed(today, date):
			if f, ok := q.firstFireOn(q.targetOf(date), u); ok {
				return f, true
			}
		}
	}
	if q.Days.IsBusinessDay(today) {
		if f, ok := q.firstFireOn(today, u); ok {
			return f, true
		}
	}
	for {
		if today = q.nextTarget(today); today.IsZero() {
			return fire{}, false
		}
		if f, ok := q.firstFireOn(today, u); ok {
			return f, true
		}
	}
}

// isUndisturbed reports whether no time can be moved to between an instant of
// today and the schedule's first time after it, which is on date.
func (q *search) isUndisturbed(today, date Date) bool {
	if q.Substitution == PreviousDay {
		return q.Days.IsBusinessDay(date + 1)
	}
	return q.Days.IsBusinessDay(today) && q.Days.IsBusinessDay(today-1)
}

// skipHolidays returns the first time of the schedule from n on that is on a
// business day. ok is false if there is no n.
func (q *search) skipHolidays(n int64, ok bool) (fire, bool) {
	for ok {
		date := q.dateAt(n)
		if q.Days.IsBusinessDay(date) {
			return fire{at: n, date: date}, true
		}
		open := q.Days.Next(date + 1)
		if open.IsZero() {
			break
		}
		n, ok = q.nextNominal(max(n, q.startOf(open)-1))
	}
	return fire{}, false
}

// nextTarget returns the first business date after day on which something
// fires, or no date.
func (q *search) nextTarget(day Date) Date {
	open := q.Days.Next(day + 1)
	if open.IsZero() {
		return 0
	}
	first := open
	if q.Substitution != PreviousDay {
		first = q.firstSource(open)
	}
	n, ok := q.nextNominal(q.startOf(first) - 1)
	if !ok {
		return 0
	}
	return q.targetOf(q.dateAt(n))
}

// targetOf returns the business date on which a time of a date fires, or no
// date.
func (q *search) targetOf(date Date) Date {
	switch {
	case q.Days.IsBusinessDay(date):
		return date
	case !q.Substitution.moves():
		return 0
	case q.Substitution == PreviousDay:
		return q.Days.Previous(date)
	}
	return q.Days.Next(date)
}

// nextExcluded returns the first time of the schedule after u that is on a
// holiday, and its business date.
func (q *search) nextExcluded(u int64) (n int64, date Date, ok bool) {
	for {
		if n, ok = q.nextNominal(u); !ok {
			return 0, 0, false
		}
		if date = q.dateAt(n); !q.Days.IsBusinessDay(date) {
			return n, date, true
		}
		closed := q.Days.closed.firstFrom(date + 1)
		if closed.IsZero() {
			return 0, 0, false
		}
		u = max(n, q.startOf(closed)-1)
	}
}

// nextNominal returns the first time of the schedule after u.
func (q *search) nextNominal(u int64) (int64, bool) {
	t := q.Schedule(q.timeOf(u))
	return t.Unix(), !t.IsZero()
}

func (q *search) timeOf(u int64) time.Time { return time.Unix(u, 0).In(q.Zone) }

func (q *search) reason(day Date) *Reason {
	if why, ok := q.Days.Holiday(day); ok {
		return &why
	}
	return nil
}
