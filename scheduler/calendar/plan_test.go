package calendar_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/clock"
)

// planCase describes a plan in Berlin whose calendar has weekends and 25 and 26
// December.
type planCase struct {
	name, cron, dayStart string
	move                 calendar.Substitution
	from                 string
	want                 []string // decisions as decisionLine writes them
}

func (c planCase) plan(t *testing.T) *calendar.Plan {
	days := mustCompile(t, calendar.Calendar{
		Name: "c", WeeklyHoliday: weekends, DayStart: c.dayStart, Rules: []calendar.Rule{{Name: "Christmas", Yearly: "12-25", Length: 2}},
	})
	return &calendar.Plan{Schedule: mustParse(t, c.cron).Next, Days: days, Zone: mustZone(t, "Europe/Berlin"), Substitution: c.move}
}

const shortLayout = "Mon 02 Jan 15:04"

func decisionLine(d calendar.Decision) string {
	line := d.Time.Format(shortLayout)
	switch {
	case d.Fires && !d.From.IsZero():
		line += " from " + d.From.Format(shortLayout)
	case d.Fires:
		line += " fires"
	case d.To.IsZero():
		line += " skipped"
	case d.StoodIn:
		line += " left to " + d.To.Format(shortLayout)
	default:
		line += " moved to " + d.To.Format(shortLayout)
	}
	if date := d.Date.String(); date != d.Time.Format(time.DateOnly) {
		line += " of " + date
	}
	if d.Why != nil {
		line += " (" + d.Why.Name + ")"
	}
	return line
}

func TestPlan(t *testing.T) {
	for _, tt := range []planCase{
		{"no substitution", "0 0 9 * * ?", "", calendar.NoSubstitution, "2026-11-27", []string{
			"Fri 27 Nov 09:00 fires", "Sat 28 Nov 09:00 skipped (Saturday)", "Sun 29 Nov 09:00 skipped (Sunday)", "Mon 30 Nov 09:00 fires"}},
		{"an empty substitution is none", "0 0 9 28,30 * ?", "", "", "2026-11-27", []string{
			"Sat 28 Nov 09:00 skipped (Saturday)", "Mon 30 Nov 09:00 fires"}},
		{"a daily job keeps one fire a business day", "0 0 9 * * ?", "", calendar.NextDay, "2026-11-27", []string{
			"Fri 27 Nov 09:00 fires", "Sat 28 Nov 09:00 moved to Mon 30 Nov 09:00 (Saturday)", "Sun 29 Nov 09:00 moved to Mon 30 Nov 09:00 (Sunday)", "Mon 30 Nov 09:00 fires"}},
		{"the next business day", "0 0 9 25 * ?", "", calendar.NextDay, "2026-12-01", []string{
			"Fri 25 Dec 09:00 moved to Mon 28 Dec 09:00 (Christmas)", "Mon 28 Dec 09:00 from Fri 25 Dec 09:00 (Christmas)", "Mon 25 Jan 09:00 fires"}},
		{"the previous business day", "0 0 9 26 * ?", "", calendar.PreviousDay, "2026-12-01", []string{
			"Thu 24 Dec 09:00 from Sat 26 Dec 09:00 (Christmas)", "Sat 26 Dec 09:00 moved to Thu 24 Dec 09:00 (Christmas)", "Tue 26 Jan 09:00 fires"}},
		{"the following fire comes first", "0 0 8,20 ? * SUN,MON", "", calendar.NextUnlessDue, "2026-11-28", []string{
			"Sun 29 Nov 08:00 moved to Mon 30 Nov 08:00 (Sunday)", "Sun 29 Nov 20:00 left to Mon 30 Nov 08:00 (Sunday)", "Mon 30 Nov 08:00 fires", "Mon 30 Nov 20:00 fires"}},
		{"the following fire comes later", "0 0 9 28,30 * ?", "", calendar.NextUnlessDue, "2026-11-01", []string{
			"Sat 28 Nov 09:00 moved to Mon 30 Nov 09:00 (Saturday)", "Mon 30 Nov 09:00 fires", "Mon 28 Dec 09:00 fires"}},
		{"no following fire", "0 0 9 28 11 ? 2026", "", calendar.NextUnlessDue, "2026-11-01", []string{
			"Sat 28 Nov 09:00 moved to Mon 30 Nov 09:00 (Saturday)", "Mon 30 Nov 09:00 from Sat 28 Nov 09:00 (Saturday)"}},
		{"all fires are holidays", "0 0 9 ? * SUN", "", calendar.NoSubstitution, "2026-11-01", []string{
			"Sun 01 Nov 09:00 skipped (Sunday)", "Sun 08 Nov 09:00 skipped (Sunday)", "Sun 15 Nov 09:00 skipped (Sunday)"}},
		{"the night after Friday belongs to Friday", "0 30 1 ? * SAT,MON", "02:00", calendar.NextDay, "2026-11-27", []string{
			"Sat 28 Nov 01:30 fires of 2026-11-27", "Mon 30 Nov 01:30 moved to Tue 01 Dec 01:30 of 2026-11-29 (Sunday)", "Tue 01 Dec 01:30 from Mon 30 Nov 01:30 of 2026-11-30 (Sunday)"}},
		{"a Sunday without that time", "0 30 2 ? * SUN", "", calendar.NextDay, "2026-03-24", []string{
			"Sun 29 Mar 03:00 moved to Mon 30 Mar 02:30 (Sunday)", "Mon 30 Mar 02:30 from Sun 29 Mar 03:00 (Sunday)"}},
		{"a time in the gap that meets the one at its end", "0 0/30 2,3 ? * SUN", "", calendar.NextDay, "2026-03-24", []string{
			"Sun 29 Mar 03:00 moved to Mon 30 Mar 03:00 (Sunday)", "Sun 29 Mar 03:30 moved to Mon 30 Mar 03:30 (Sunday)", "Mon 30 Mar 03:00 from Sun 29 Mar 03:00 (Sunday)"}},
		{"a Sunday with that time twice", "0 30 0/2 ? * SUN 2026", "", calendar.NextUnlessDue, "2026-10-25", []string{
			"Sun 25 Oct 00:30 moved to Mon 26 Oct 00:30 (Sunday)", "Sun 25 Oct 02:30 moved to Mon 26 Oct 02:30 (Sunday)", "Sun 25 Oct 02:30 moved to Mon 26 Oct 02:30 (Sunday)", "Sun 25 Oct 04:30 moved to Mon 26 Oct 04:30 (Sunday)"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.plan(t)
			from, err := time.ParseInLocation(time.DateOnly, tt.from, p.Zone)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for d := range p.Decisions(from, from.AddDate(0, 6, 0)) {
				if got = append(got, decisionLine(d)); len(got) == len(tt.want) {
					break
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("decisions:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// A Sunday that is a business day, and on which the clocks are set forward.
func TestMovedIntoAGap(t *testing.T) {
	days := mustCompile(t, calendar.Calendar{Name: "c", WeeklyHoliday: [7]bool{6: true}})
	p := &calendar.Plan{Schedule: mustParse(t, "0 30 2 ? * SAT").Next, Days: days, Zone: mustZone(t, "Europe/Berlin"), Substitution: calendar.NextDay}
	d, ok := p.Next(time.Date(2026, 3, 28, 12, 0, 0, 0, time.UTC))
	if got := decisionLine(d); !ok || got != "Sun 29 Mar 03:00 from Sat 28 Mar 02:30 (Saturday)" {
		t.Errorf("Next = %s, %t", got, ok)
	}
	if d.Clock != clock.GapEnd {
		t.Errorf("change of the clocks: %q, want %q", d.Clock, clock.GapEnd)
	}
}

// The business day of a Sunday begins at 02:30 in the first pass of an overlap.
// In the second pass 02:15 still belongs to it.
func TestSecondPass(t *testing.T) {
	days := mustCompile(t, calendar.Calendar{Name: "c", WeeklyHoliday: [7]bool{6: true}, DayStart: "02:30"})
	p := &calendar.Plan{Schedule: mustParse(t, "0 0/15 * * * ?").Next, Days: days, Zone: mustZone(t, "Europe/Berlin"), Substitution: calendar.NoSubstitution}
	from := time.Date(2026, 10, 25, 0, 1, 0, 0, time.UTC) // 02:01 in the first pass
	var got []string
	for d := range p.Decisions(from, from.Add(2*time.Hour)) {
		got = append(got, d.Time.Format("15:04 MST ")+fmt.Sprint(d.Fires, " ", d.Clock))
	}
	want := "02:15 CEST false first pass, 02:30 CEST true first pass, 02:45 CEST true first pass, " +
		"02:00 CET true second pass, 02:15 CET true second pass, 02:30 CET true second pass, 02:45 CET true second pass, 03:00 CET true "
	if text := strings.Join(got, ", "); text != want {
		t.Errorf("decisions: %s, want %s", text, want)
	}
}

// A plan that never fires ends. Before it does, it looks at all weeks.
func TestPlanWithoutFires(t *testing.T) {
	for _, move := range calendar.Substitutions() {
		c := planCase{cron: "0 0 9 ? * SUN", move: move}
		d, ok := c.plan(t).Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		if ok != (move != calendar.NoSubstitution) {
			t.Errorf("substitution %s: Next = %s, %t", move, decisionLine(d), ok)
		}
		c.cron = "0 0 9 1 1 ? 2000"
		if d, ok := c.plan(t).Next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)); ok {
			t.Errorf("substitution %s: Next = %s, want none after the last year", move, decisionLine(d))
		}
	}
}

// Every instant between a fire and the next has the same next fire, and
// windows that follow each other contain each decision once.
func TestPlanWindows(t *testing.T) {
	for _, move := range calendar.Substitutions() {
		p := planCase{cron: "0 0/40 1-3 ? * SAT-TUE", dayStart: "02:30", move: move}.plan(t)
		from := time.Date(2026, 10, 20, 0, 0, 0, 0, p.Zone)
		to := from.AddDate(0, 2, 0)
		var whole, pieces []string
		for d := range p.Decisions(from, to) {
			whole = append(whole, fmt.Sprint(d.Time.Unix(), decisionLine(d)))
		}
		for at := from; at.Before(to); at = at.Add(7 * time.Minute) {
			end := at.Add(7 * time.Minute)
			if end.After(to) {
				end = to
			}
			for d := range p.Decisions(at, end) {
				pieces = append(pieces, fmt.Sprint(d.Time.Unix(), decisionLine(d)))
			}
		}
		if !slices.Equal(whole, pieces) || len(whole) < 50 {
			t.Errorf("substitution %s: %d decisions in one window, %d in small ones, want the same", move, len(whole), len(pieces))
		}
	}
}
