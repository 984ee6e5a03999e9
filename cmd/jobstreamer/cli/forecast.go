package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

func (c *CLI) scheduleTonight() *cobra.Command {
	var until string
	var limit int
	var all bool
	cmd := c.serverCommand("tonight", "Show everything that is going to fire, by time", func(inv *invocation, _ []string) error {
		p := inv.outPage()
		to, ok := endOfNight(until, p.now, p.zone)
		if !ok {
			return usageErrorf("--until %q: want a time to come, such as 08:00 or \"2026-11-25 08:00\"", until)
		}
		app := inv.app
		if all {
			app = ""
		}
		return showAnswer(inv, func(c *client.Client) (rest.Forecast, error) { return c.Forecast(inv.ctx, app, p.now, to, limit) }, drawForecast)
	})
	cmd.Long = `Shows everything that the active schedules are going to fire from now until the morning, by time, with the usual duration of each job. The last line names
the minute in which most jobs start.`
	cmd.Example = `  jobstreamer schedule tonight
  jobstreamer schedule tonight --all --until "2026-11-30 12:00"`
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.StringVar(&until, "until", "08:00", "`TIME` end: a time of day, which is its next occurrence, or a date with a time")
		f.BoolVar(&all, "all", false, "all applications that you may read")
		f.IntVarP(&limit, "limit", "n", 1000, "`NUMBER` maximum number of fires, up to 10000")
	})
	c.showFlags(cmd)
	return c.appFlags(cmd)
}

// endOfNight parses a time to come. A time of day is its next occurrence.
func endOfNight(text string, now time.Time, zone *time.Location) (time.Time, bool) {
	t, ok := parseTime(text, now, zone, true)
	if _, _, _, clock := parseClock(text); clock && ok {
		t = t.AddDate(0, 0, 1)
	}
	return t, ok && t.After(now)
}

func drawForecast(p *page, v rest.Forecast) {
	if len(v.Results) == 0 {
		fmt.Fprintf(p, "Nothing fires until %s.\n", p.timeText(v.To))
		p.drawGroupPauses(v.GroupPauses)
		return
	}
	t := newTable("TIME", "APPLICATION", "JOB", "NAME", "USUALLY").withOptional("NAME")
	for i := range v.Results {
		f := &v.Results[i]
		usually := ""
		if f.UsualDuration != nil {
			usually = time.Duration(*f.UsualDuration * float64(time.Millisecond)).Round(time.Millisecond).String()
		}
		t.addRow(p.timeText(f.Time), f.App, f.Job, shownName(f.Schedule), usually)
	}
	p.writeTable(t)
	if v.More {
		fmt.Fprintf(p, "There are more than %d fires until %s; these are the first.\n", len(v.Results), p.timeText(v.To))
	}
	fmt.Fprintf(p, "Most in one minute: %s at %s.\n", countText(v.Busiest.Count, "fire", "fires"), p.timeText(v.Busiest.Time))
	p.drawGroupPauses(v.GroupPauses)
}
