package calendar_test

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

// The fires on days that a calendar does not exclude are those of Quartz 2.3.2
// and 2.5.2.
func TestQuartz(t *testing.T) {
	f, err := os.Open("../cron/testdata/quartz-vectors.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tested := 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var v struct {
			Kind, Expr, Zone string
			Start            time.Time
			Weekly           []int // 1 is Sunday
			Dates            []calendar.Date
			Next             []time.Time
			DST              bool
		}
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		if v.Kind != "calendar" || v.DST {
			continue
		}
		tested++
		c := calendar.Calendar{Name: "c"}
		for _, n := range v.Weekly {
			c.WeeklyHoliday[n-1] = true
		}
		for _, d := range v.Dates {
			c.Holidays = append(c.Holidays, calendar.Holiday{Date: d})
		}
		p := &calendar.Plan{Schedule: mustParse(t, v.Expr).Next, Days: mustCompile(t, c), Zone: mustZone(t, v.Zone), Substitution: calendar.NoSubstitution}
		at := v.Start.Add(-time.Second)
		for _, want := range v.Next {
			d, ok := p.Next(at)
			if !ok || !d.Time.Equal(want) {
				t.Errorf("%s, weekly holidays %v, dates %v: Next(%v) = %v, want %v", v.Expr, v.Weekly, v.Dates, at, d.Time, want.In(p.Zone))
				break
			}
			at = d.Time
		}
	}
	t.Logf("%d lines agree with Quartz", tested)
	if tested < 25 {
		t.Errorf("%d lines were tested, want 25 or more", tested)
	}
}
