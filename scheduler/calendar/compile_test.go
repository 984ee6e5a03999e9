package calendar_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

var weekends = [7]bool{true, false, false, false, false, false, true}

// sourcesOf lets calendars refer to each other.
func sourcesOf(all ...calendar.Calendar) calendar.Sources {
	return calendar.Sources{Recurrence: everyNth, Calendar: func(name string) (*calendar.Calendar, error) {
		for i := range all {
			if all[i].Name == name {
				return &all[i], nil
			}
		}
		return nil, nil
	}}
}

func mustCompile(t testing.TB, c calendar.Calendar, others ...calendar.Calendar) *calendar.Days {
	t.Helper()
	days, err := calendar.Compile(&c, sourcesOf(others...))
	if err != nil {
		t.Fatal(err)
	}
	return days
}

func TestRefusedCalendars(t *testing.T) {
	everyDay := [7]bool{true, true, true, true, true, true, true}
	a := calendar.Calendar{Name: "a", Include: []string{"b"}}
	b := calendar.Calendar{Name: "b", Exclude: []string{"c"}}
	c := calendar.Calendar{Name: "c", Intersect: []string{"a"}}
	bad := calendar.Calendar{Name: "bad", DayStart: "x"}
	noRules := sourcesOf()
	noRules.Recurrence = nil
	broken := calendar.Sources{Calendar: func(string) (*calendar.Calendar, error) { return nil, errors.New("no connection") }}
	biweekly := calendar.Rule{RRule: "EVERY=14", Start: mustDate(t, "2026-01-02")}
	daily := calendar.Rule{RRule: "EVERY=1", Start: mustDate(t, "2026-01-02")}
	for _, tt := range []struct {
		name string
		c    calendar.Calendar
		from calendar.Sources
		want string
	}{
		{"a cycle", a, sourcesOf(a, b, c), `/include/0: want calendars that are not made of each other, got "a" -> "b" -> "c" -> "a"`},
		{"a cycle of others", calendar.Calendar{Name: "d", Exclude: []string{"c"}}, sourcesOf(a, b, c), `/exclude/0: want calendars that are not made of each other, got "c" -> "a" -> "b" -> "c"`},
		{"itself", calendar.Calendar{Name: "x", Intersect: []string{"x"}}, sourcesOf(), `/intersect/0: want calendars that are not made of each other, got "x" -> "x"`},
		{"a calendar that does not exist", calendar.Calendar{Name: "x", Include: []string{"y"}}, sourcesOf(), `/include/0: want the name of a calendar that exists, got "y"`},
		{"no other calendars", calendar.Calendar{Name: "x", Include: []string{"y"}}, calendar.Sources{}, `/include/0: want the name of a calendar that exists, got "y"`},
		{"another calendar with a fault", calendar.Calendar{Name: "x", Include: []string{"bad"}}, sourcesOf(bad), `/include/0: want a calendar without faults, got "bad" with: /day_start: want a time from 00:00 to 23:59, got "x"`},
		{"a store that does not answer", calendar.Calendar{Name: "x", Include: []string{"y"}}, broken, `calendar "y": no connection`},
		{"no business day", calendar.Calendar{Name: "x", WeeklyHoliday: everyDay}, sourcesOf(), "the calendar: want a business day at least every ten years, got none from 1970-01-01 on"},
		{"no business day from 2026 on", calendar.Calendar{Name: "x", Rules: []calendar.Rule{daily}}, sourcesOf(), "/rules/0: want a rule for dates: more than 100000 dates, got \"EVERY=1\""},
		{"no business day for eleven years", calendar.Calendar{Name: "x", Rules: []calendar.Rule{{RRule: "EVERY=1", Start: daily.Start, End: mustDate(t, "2037-01-02")}}}, sourcesOf(), "the calendar: want a business day at least every ten years, got none from 2026-01-02 on"},
		{"rrules where none are expanded", calendar.Calendar{Name: "x", Rules: []calendar.Rule{biweekly}}, noRules, "/rules/0: want a rule for dates: no rrule: this program does not expand them, got \"EVERY=14\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if days, err := calendar.Compile(&tt.c, tt.from); err == nil || err.Error() != tt.want {
				t.Errorf("Compile: %v, %v, want the error %s", days, err, tt.want)
			}
		})
	}
}

func TestLongChainsAreRefused(t *testing.T) {
	var all []calendar.Calendar
	for i := range 1200 {
		all = append(all, calendar.Calendar{Name: fmt.Sprint(i), Include: []string{fmt.Sprint(i + 1)}})
	}
	all = append(all, calendar.Calendar{Name: "1200"})
	if _, err := calendar.Compile(&all[300], sourcesOf(all...)); err != nil {
		t.Errorf("901 calendars: %v", err)
	}
	if _, err := calendar.Compile(&all[0], sourcesOf(all...)); err == nil || !strings.Contains(err.Error(), "made of at most 1000 others") {
		t.Errorf("1201 calendars: %v, want an error", err)
	}
}

// The set of holidays is (own + include) ∩ intersect − exclude.
func TestCombination(t *testing.T) {
	date := func(text ...string) (all []calendar.Holiday) {
		for _, s := range text {
			all = append(all, calendar.Holiday{Date: mustDate(t, "2026-06-"+s)})
		}
		return all
	}
	others := []calendar.Calendar{
		{Name: "include", Holidays: date("02", "03", "04", "05")},
		{Name: "intersect", Holidays: date("01", "02", "03", "06", "07")},
		{Name: "exclude", Holidays: date("03", "07")},
	}
	days := mustCompile(t, calendar.Calendar{
		Name: "c", Holidays: date("01", "05"), Include: []string{"include"}, Intersect: []string{"intersect"}, Exclude: []string{"exclude"},
	}, others...)
	var got []string
	for d := mustDate(t, "2026-05-25"); d < mustDate(t, "2026-06-30"); d++ {
		if !days.IsBusinessDay(d) {
			got = append(got, d.String())
		}
	}
	if text := strings.Join(got, " "); text != "2026-06-01 2026-06-02" {
		t.Errorf("holidays: %s, want 2026-06-01 2026-06-02", text)
	}
}

// A calendar that several others include is compiled once.
func TestDiamond(t *testing.T) {
	asked := map[string]int{}
	from := sourcesOf(calendar.Calendar{Name: "b", Include: []string{"d"}}, calendar.Calendar{Name: "c", Include: []string{"d"}},
		calendar.Calendar{Name: "d", WeeklyHoliday: weekends})
	lookUp := from.Calendar
	from.Calendar = func(name string) (*calendar.Calendar, error) {
		asked[name]++
		return lookUp(name)
	}
	days, err := calendar.Compile(&calendar.Calendar{Name: "a", Include: []string{"b", "c", "d"}}, from)
	if err != nil || days.IsBusinessDay(mustDate(t, "2026-06-06")) || asked["d"] != 1 {
		t.Errorf("Compile: %v; d was read %d times, want once", err, asked["d"])
	}
}
