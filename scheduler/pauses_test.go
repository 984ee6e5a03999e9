package scheduler

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// dayAt returns a time of the day of these tests, such as 9:30 or 9:30:05.
func dayAt(t *testing.T, clock string) time.Time {
	t.Helper()
	for _, layout := range []string{"15:04", "15:04:05", "15:04:05.000"} {
		if at, err := time.Parse("2006-01-02 "+layout, "2026-05-04 "+clock); err == nil {
			return at
		}
	}
	t.Fatalf("no time: %q", clock)
	return time.Time{}
}

// periodsOf parses pauses such as "9:30-10:30 11:30-12:30+ 13:00-": the second
// one ended with catch_up, the third one is on.
func periodsOf(t *testing.T, text string) (all []bus.PausePeriod) {
	t.Helper()
	for word := range strings.FieldsSeq(text) {
		from, to, _ := strings.Cut(word, "-")
		p := bus.PausePeriod{From: subjects.TimeOf(dayAt(t, from))}
		if to, p.CatchUp = strings.CutSuffix(to, "+"); to != "" {
			p.To = subjects.TimeOf(dayAt(t, to))
		}
		all = append(all, p)
	}
	return all
}

func TestPauseSpans(t *testing.T) {
	for _, tt := range []struct{ name, all, app, want, held string }{
		{"none", "", "", "", ""},
		{"an ended pause", "", "9:00-10:00", "9:00-10:00", ""},
		{"a pause that is on", "9:00-", "", "9:00-", "9:00"},
		{"several", "9:00-10:00 11:00-12:00+", "13:00-14:00", "9:00-10:00 11:00-12:00+ 13:00-14:00", ""},
		{"catch_up counts only where all pauses ended so", "9:00-11:00+", "10:00-12:00", "9:00-10:00+ 10:00-12:00", ""},
		{"one pause inside another", "9:00-12:00+", "10:00-11:00", "9:00-10:00+ 10:00-11:00 11:00-12:00+", ""},
		{"both with catch_up", "9:00-11:00+", "10:00-12:00+", "9:00-12:00+", ""},
		{"both without", "9:00-11:00", "10:00-12:00", "9:00-12:00", ""},
		{"both are on", "9:00-", "10:00-", "9:00-", "9:00"},
		{"a pause that ended while another one is on waits with it", "10:00-", "9:00-11:00+", "9:00-10:00+ 10:00-", "9:00"},
		{"a pause that ended before another one began does not wait", "10:30-", "9:00-10:00+", "9:00-10:00+ 10:30-", "10:30"},
		{"a pause that ended as it began holds nothing", "9:00-9:00", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spans := spansOf(append(periodsOf(t, tt.all), periodsOf(t, tt.app)...)...)
			var got []string
			for _, span := range spans {
				text := span.from.Format("15:04") + "-"
				if !span.to.IsZero() {
					text += span.to.Format("15:04")
				}
				if span.catchUp {
					text += "+"
				}
				got = append(got, strings.TrimPrefix(strings.ReplaceAll(text, "-0", "-"), "0"))
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("spans: %s, want %s", got, tt.want)
			}
			held := spans.heldSince(&bus.Schedule{})
			if tt.held == "" && !held.IsZero() || tt.held != "" && !held.Equal(dayAt(t, tt.held)) {
				t.Errorf("held since %v, want %s", held, tt.held)
			}
		})
	}
}

// In these tests the last decision was at 7:00, and a bus has been leading all
// the time, unless they say when it came up.
func TestDecisionsWithPauses(t *testing.T) {
	const hourly, minutely = "0 0 * * * ?", "0 * * * * ?"
	for _, tt := range []struct {
		name, cron, misfire string
		all, app            string
		now                 string
		up                  string // when the bus came up
		at                  occasion
		want                string
	}{
		{"the times of a pause are skipped", hourly, "", "7:30-9:30", "", "10:00", "", atWalk, "8:00 paused, 9:00 paused, 10:00"},
		{"of several pauses too", hourly, "", "7:30-8:30", "9:30-10:30", "11:00", "", atWalk, "8:00 paused, 9:00 misfire, 10:00 paused, 11:00"},
		{"a time at the begin of a pause is not in it", hourly, "", "8:00-9:30", "", "9:30", "", atWalk, "8:00 late, 9:00 paused"},
		{"a time at the end of a pause is in it", hourly, "", "8:30-9:00", "", "9:00:30", "", atWalk, "8:00 late, 9:00 paused"},
		{"pauses of all and of the application overlap", hourly, "", "7:30-9:30", "8:30-10:30", "11:00", "", atWalk, "8:00 paused, 9:00 paused, 10:00 paused, 11:00"},
		{"a long pause is one decision", minutely, "", "7:00-9:30", "", "9:30:30", "", atWalk, "7:01-9:30 paused x150"},

		{"a pause that is on decides nothing", hourly, "", "7:30-", "", "10:00", "", atWalk, ""},
		{"times before it are decided", hourly, "", "9:30-", "", "10:00", "", atWalk, "8:00 misfire, 9:00 late"},
		{"also after a restart of the bus", hourly, bus.MisfireFireAll, "9:30-", "", "10:00", "9:50", atWalk, "8:00 late, 9:00 late"},
		{"an edit decides them as paused", hourly, "", "8:59:30-", "", "9:00:30", "", atEdit, "8:00 edited, 9:00 paused"},
		{"a deletion too", hourly, "", "8:30-", "", "9:00:30", "", atDeletion, "8:00 deleted, 9:00 paused"},

		{"catch_up with fire_once fires the newest", hourly, "", "7:30-10:30+", "", "10:30", "", atWalk, "8:00 misfire, 9:00 misfire, 10:00 late"},
		{"unless a later time fires", hourly, "", "7:30-10:30+", "", "11:00", "", atWalk, "8:00 misfire, 9:00 misfire, 10:00 misfire, 11:00"},
		{"catch_up with fire_all fires each", hourly, bus.MisfireFireAll, "7:30-10:30+", "", "11:00", "", atWalk, "8:00 late, 9:00 late, 10:00 late, 11:00"},
		{"catch_up with skip fires none", hourly, bus.MisfireSkip, "7:30-10:30+", "", "11:00", "", atWalk, "8:00 misfire, 9:00 misfire, 10:00 misfire, 11:00"},
		{"what was due just before the end of the pause is a misfire too", hourly, bus.MisfireSkip, "7:30-8:00:10+", "", "8:00:20", "", atWalk, "8:00 misfire"},
		{"an edit makes up for nothing", hourly, bus.MisfireFireAll, "7:30-8:00:10+", "", "8:00:20", "", atEdit, "8:00 edited"},
		{"a pause without catch_up within one with it", hourly, bus.MisfireFireAll, "7:30-10:30+", "8:30-9:30", "11:00", "", atWalk, "8:00 late, 9:00 paused, 10:00 late, 11:00"},
		{"fire_once fires one time of two pauses", hourly, "", "7:30-8:30+ 9:30-10:30+", "", "10:30", "", atWalk, "8:00 misfire, 9:00 misfire, 10:00 late"},
		{"fire_once fires the newest that is not paused", hourly, "", "7:30-8:30+", "8:50-10:30", "10:30", "", atWalk, "8:00 late, 9:00 paused, 10:00 paused"},
		{"catch_up waits while another pause is on", hourly, bus.MisfireFireAll, "8:30-", "7:30-9:30+", "10:00", "", atWalk, ""},
		{"and fires when that has ended", hourly, bus.MisfireFireAll, "8:30-10:30", "7:30-9:30+", "11:00", "", atWalk, "8:00 late, 9:00 paused, 10:00 paused, 11:00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sc := &bus.Schedule{Cron: tt.cron, Misfire: tt.misfire, Active: true}
			p, err := newPlan(sc, time.UTC, nil)
			if err != nil {
				t.Fatal(err)
			}
			at := moment{now: dayAt(t, tt.now), occasion: tt.at, pauses: spansOf(append(periodsOf(t, tt.all), periodsOf(t, tt.app)...)...)}
			if tt.up != "" {
				at.downUntil = dayAt(t, tt.up)
			}
			if got := decided(p, sc, dayAt(t, "7:00"), at); got != tt.want {
				t.Errorf("decided: %s, want %s", got, tt.want)
			}
		})
	}

	t.Run("the limit of fire_all counts over all pauses", func(t *testing.T) {
		sc := &bus.Schedule{Cron: hourly, Misfire: bus.MisfireFireAll, CatchUpLimit: 3, Active: true}
		p, err := newPlan(sc, time.UTC, nil)
		if err != nil {
			t.Fatal(err)
		}
		at := moment{now: dayAt(t, "14:00"), pauses: spansOf(periodsOf(t, "7:30-9:30+ 9:50-10:30 10:40-12:30+ 12:40-13:30")...)}
		want := "8:00 catch_up_limit, 9:00 late, 10:00 paused, 11:00 late, 12:00 late, 1:00 paused, 2:00"
		if got := decided(p, sc, dayAt(t, "7:00"), at); got != want {
			t.Errorf("decided: %s, want %s", got, want)
		}
	})

	t.Run("a window skips what is older, but not what was paused", func(t *testing.T) {
		sc := &bus.Schedule{Cron: hourly, Misfire: bus.MisfireFireAll, CatchUpWindow: "3h", Active: true}
		p, err := newPlan(sc, time.UTC, nil)
		if err != nil {
			t.Fatal(err)
		}
		at := moment{now: dayAt(t, "12:30"), pauses: spansOf(periodsOf(t, "7:30-8:30 8:40-10:30+")...)}
		want := "8:00 paused, 9:00 catch_up_window, 10:00 late, 11:00 late, 12:00 late"
		if got := decided(p, sc, dayAt(t, "7:00"), at); got != want {
			t.Errorf("decided: %s, want %s", got, want)
		}
	})
}

// decided returns the outcomes as text.
func decided(p *plan, sc *bus.Schedule, from time.Time, at moment) string {
	var all []string
	for st := range p.decisions(sc, from, at) {
		all = append(all, st.String())
	}
	return strings.Join(all, ", ")
}

// With a jitter, what counts is when a time is due.
func TestPausesWithJitter(t *testing.T) {
	sc := &bus.Schedule{Cron: "0 0 * * * ?", Misfire: bus.MisfireFireAll, Active: true}
	p, err := newPlan(sc, time.UTC, nil)
	if err != nil {
		t.Fatal(err)
	}
	p.shift = 10 * time.Minute
	for _, tt := range []struct {
		name, pauses, now string
		at                occasion
		want              string
	}{
		{"a time that is due after the pause fires", "7:55-8:05", "8:10", atWalk, "8:00"},
		{"a time that is due during the pause is skipped", "8:05-8:15", "8:20", atWalk, "8:00 paused"},
		{"a time that is due while a pause is on waits", "8:05-", "8:20", atWalk, ""},
		{"an edit during the pause skips what is due later", "7:55-", "8:05", atEdit, "8:00 paused"},
		{"an edit after the pause fires it early", "7:55-8:03", "8:05", atEdit, "8:00"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at := moment{now: dayAt(t, tt.now), occasion: tt.at, pauses: spansOf(periodsOf(t, tt.pauses)...)}
			if got := decided(p, sc, dayAt(t, "7:00"), at); got != tt.want {
				t.Errorf("decided: %s, want %s", got, tt.want)
			}
		})
	}
}

// A schedule that was resumed with catch_up begins where its own pause began.
func TestOwnCatchUpWaitsForThePauseOfTheGroup(t *testing.T) {
	at := func(clock string) subjects.Time { return subjects.TimeOf(dayAt(t, clock)) }
	sc := &bus.Schedule{Cron: "0 0 * * * ?", Misfire: bus.MisfireFireAll, Active: true, Since: at("7:30"), UpdateTime: at("9:30")}
	p, err := newPlan(sc, time.UTC, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, pauses, want string }{
		{"it fires at once without another pause", "", "8:00 late, 9:00 late"},
		{"it waits for a pause that was on then", "8:30-", ""},
		{"after that it fires what was due before", "8:30-10:00", "8:00 late, 9:00 paused, 10:00 paused"},
		{"it does not wait for a pause that began later", "9:45-", "8:00 late, 9:00 late"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			now := dayAt(t, "9:50")
			if strings.HasSuffix(tt.pauses, "10:00") {
				now = dayAt(t, "10:10")
			}
			if got := decided(p, sc, sc.Since.Std(), moment{now: now, pauses: spansOf(periodsOf(t, tt.pauses)...)}); got != tt.want {
				t.Errorf("decided: %s, want %s", got, tt.want)
			}
		})
	}
}

func TestOldPausesAreDropped(t *testing.T) {
	var all []bus.PausePeriod
	for i := range subjects.Time(maxPeriods + 3) {
		all = append(all, bus.PausePeriod{From: 10 * i, To: 10*i + 5, By: "ann", Reason: "why", EndedBy: "bob", CatchUp: true})
	}
	kept := prunePeriods(all, func(p *bus.PausePeriod) bool { return p.From == 10 })
	if len(kept) != maxPeriods+1 {
		t.Fatalf("%d pauses are kept, want %d", len(kept), maxPeriods+1)
	}
	if want := (bus.PausePeriod{From: 10, To: 15, CatchUp: true}); kept[0] != want {
		t.Errorf("an old pause that matters is kept as %+v, want %+v", kept[0], want)
	}
	if kept[1] != all[3] || kept[maxPeriods] != all[maxPeriods+2] {
		t.Errorf("the newest are %+v to %+v", kept[1], kept[maxPeriods])
	}
	if few := prunePeriods(all[:5], func(*bus.PausePeriod) bool { return false }); fmt.Sprint(few) != fmt.Sprint(all[:5]) {
		t.Errorf("of a few pauses, these are kept: %v", few)
	}
}

// Of two pauses of a time, why names the one that kept it from firing.
func TestExplainsBetter(t *testing.T) {
	const early, late = subjects.Time(1000), subjects.Time(2000)
	caughtUp := bus.PausePeriod{From: early, To: late, CatchUp: true}
	for name, test := range map[string]struct{ better, other bus.PausePeriod }{
		"the one that is on":                  {bus.PausePeriod{From: late}, bus.PausePeriod{From: early, To: late}},
		"the older one that is on":            {bus.PausePeriod{From: early}, bus.PausePeriod{From: late}},
		"the one that ended last":             {bus.PausePeriod{From: late, To: late + 1}, bus.PausePeriod{From: early, To: late}},
		"the one that ended without catch_up": {bus.PausePeriod{From: early, To: late - 1}, caughtUp},
	} {
		t.Run(name, func(t *testing.T) {
			if !explainsBetter(&test.better, &test.other) || explainsBetter(&test.other, &test.better) {
				t.Errorf("want %+v before %+v", test.better, test.other)
			}
		})
	}
}
