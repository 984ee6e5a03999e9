package cli

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar/ical"
)

func (c *CLI) calendarCommand() *cobra.Command {
	return groupCommand("calendar", "Manage calendars: the days on which schedules do not fire",
		`A calendar lists weekdays, dates and rules that repeat, on which nothing should fire. It may be made of other calendars.`,
		c.calendarList(), c.calendarGet(), c.calendarApply(), c.calendarPreview(), c.calendarDelete())
}

func (c *CLI) calendarList() *cobra.Command {
	cmd := c.serverCommand("list", "List calendars", func(inv *invocation, _ []string) error {
		return showList(inv, func(c *client.Client, p client.Page) (rest.List[rest.Calendar], error) {
			return c.Calendars(inv.ctx, p)
		}, drawCalendars)
	})
	c.pageFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func drawCalendars(p *page, list rest.List[rest.Calendar]) {
	t := newTable("NAME", "WEEKLY", "DATES", "RULES", "MADE OF", "CHANGED").withOptional("MADE OF").withDrops("CHANGED", "MADE OF").withCuts("NAME", "MADE OF")
	for i := range list.Results {
		v := &list.Results[i]
		t.addRow(v.Name, weeklyText(v.WeeklyHoliday), strconv.Itoa(len(v.Holidays)), strconv.Itoa(len(v.Rules)), strings.Join(partsOf(v), ", "), p.timeCell(v.LastUpdatedTime))
	}
	drawList(p, t, list, "No calendars. Create one with `jobstreamer calendar apply NAME -f FILE`.")
}

// weeklyText returns weekly holidays such as "Sat Sun".
func weeklyText(weekly []bool) string {
	var days []string
	for i := range 7 {
		if day := (i + 1) % 7; day < len(weekly) && weekly[day] { // from Monday
			days = append(days, time.Weekday(day).String()[:3])
		}
	}
	return strings.Join(days, " ")
}

// partsOf returns the other calendars of which a calendar is made.
func partsOf(v *rest.Calendar) (all []string) {
	all = append(all, v.Include...)
	for _, name := range v.Intersect {
		all = append(all, "only of "+name)
	}
	for _, name := range v.Exclude {
		all = append(all, "without "+name)
	}
	return all
}

func (c *CLI) calendarGet() *cobra.Command {
	cmd := c.serverCommand("get CALENDAR", "Show a calendar", func(inv *invocation, args []string) error {
		return showAnswer(inv, func(c *client.Client) (*rest.Calendar, error) {
			v, _, err := c.Calendar(inv.ctx, args[0])
			return v, err
		}, drawCalendar)
	})
	cmd.Long = "Shows a calendar. `jobstreamer calendar apply` accepts what --output json, yaml and edn print."
	c.watchFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func drawCalendar(p *page, v *rest.Calendar) {
	var dates, rules []string
	for _, h := range v.Holidays {
		dates = append(dates, strings.TrimSpace(h.Date+" "+h.Name))
	}
	for i := range v.Rules {
		rules = append(rules, ruleText(&v.Rules[i]))
	}
	p.writeFields("Name", cell{v.Name, bold}, "Weekly", weeklyText(v.WeeklyHoliday), "Day start", v.DayStart, "Include", strings.Join(v.Include, "\n"),
		"Intersect", strings.Join(v.Intersect, "\n"), "Exclude", strings.Join(v.Exclude, "\n"), "Rules", strings.Join(rules, "\n"), "Dates", strings.Join(dates, "\n"),
		"Created", p.timeText(v.CreateTime), "Changed", p.timeText(v.LastUpdatedTime))
}

// ruleText returns a rule in a few words.
func ruleText(r *rest.CalendarRule) string {
	var words []string
	switch {
	case r.Yearly != "":
		words = append(words, "yearly "+r.Yearly)
	case r.Easter != nil:
		words = append(words, fmt.Sprintf("easter%+d", *r.Easter))
	case r.OrthodoxEaster != nil:
		words = append(words, fmt.Sprintf("orthodox easter%+d", *r.OrthodoxEaster))
	default:
		words = append(words, r.RRule)
	}
	if r.Days > 1 {
		words = append(words, fmt.Sprintf("for %d days", r.Days))
	}
	if r.Start != "" {
		words = append(words, "from "+r.Start)
	}
	if r.End != "" {
		words = append(words, "to "+r.End)
	}
	if n := len(r.Except); n > 0 {
		words = append(words, "except "+countText(n, "date", "dates"))
	}
	if r.Name != "" {
		words = append(words, r.Name)
	}
	return strings.Join(words, " ")
}

// calendarChange are the options of calendar apply.
type calendarChange struct {
	file   string
	add    bool
	weekly string
}

func (c *CLI) calendarApply() *cobra.Command {
	var how calendarChange
	cmd := c.serverCommand("apply [CALENDAR]", "Create or change a calendar from a file", func(inv *invocation, args []string) error {
		if how.file == "" {
			return usageErrorf("no file given; name it with -f FILE, or use -f - for standard input")
		}
		d, err := inv.definition(how.file)
		if err != nil {
			return err
		}
		name := ""
		if len(args) > 0 {
			name = args[0]
		}
		if isICalendar(how.file, d.text) {
			return inv.importHolidays(name, &how, d)
		}
		if how.add || how.weekly != "" {
			return usageErrorf("--add and --weekly are for iCalendar files; %s defines the whole calendar", d.file)
		}
		return inv.showApplied(func(c *client.Client) (*rest.Calendar, error) {
			v, _, err := c.ApplyCalendar(inv.ctx, name, "application/"+string(d.form), d.text, client.Condition{})
			return v, err
		})
	})
	cmd.Long = `Creates or changes a calendar. The file is a calendar in JSON, YAML, EDN or XML, as ` + "`jobstreamer calendar get`" + ` prints it, or an iCalendar file
(.ics) with holidays. If CALENDAR is missing, the name in the file is used; if the file has another name, the calendar is renamed.

Of an iCalendar file, all events that last whole days become dates and rules of the calendar, in place of those that it has, or with --add besides
them. Its weekly holidays, its day start and the calendars that it is made of stay as they are. Events that are no whole days are reported and
skipped.`
	cmd.Example = `  jobstreamer calendar apply -f bank.yaml
  jobstreamer calendar apply bank -f holidays.ics --weekly sat,sun
  jobstreamer calendar get bank -o yaml | jobstreamer calendar apply -f -`
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.StringVarP(&how.file, "file", "f", "", "`FILE` calendar in JSON, YAML, EDN or XML, or iCalendar file, or - for standard input")
		f.BoolVar(&how.add, "add", false, "with an iCalendar file: keep the dates and rules that the calendar has")
		f.StringVar(&how.weekly, "weekly", "", "`DAYS` with an iCalendar file: weekly holidays such as sat,sun, or none (default: as they are)")
	})
	if err := cmd.MarkFlagFilename("file", append(definitionEndings(), "ics")...); err != nil {
		panic(err)
	}
	c.showFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

func isICalendar(file string, text []byte) bool {
	return strings.HasSuffix(strings.ToLower(file), ".ics") || bytes.HasPrefix(bytes.ToUpper(bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\ufeff")))), []byte("BEGIN:VCALENDAR"))
}

func (inv *invocation) showApplied(ask func(c *client.Client) (*rest.Calendar, error)) error {
	return showAnswer(inv, ask, func(p *page, v *rest.Calendar) {
		fmt.Fprintf(p, "Calendar %s was saved: %s, %s.\n", printable(v.Name), countText(len(v.Holidays), "date", "dates"), countText(len(v.Rules), "rule", "rules"))
	})
}

// importHolidays replaces the dates and rules of a calendar by those of an
// iCalendar file, or adds them.
func (inv *invocation) importHolidays(name string, how *calendarChange, d definition) error {
	if name == "" {
		return usageErrorf("CALENDAR is missing: an iCalendar file has no name of a calendar")
	}
	weekly, err := parseWeekly(how.weekly)
	if err != nil {
		return err
	}
	found, err := ical.Read(bytes.NewReader(d.text))
	if err != nil {
		return fmt.Errorf("%s: %w", d.file, err)
	}
	was, etag, err := inv.client.Calendar(inv.ctx, name)
	is, k := rest.NewCalendar{Name: name}, client.Condition{ETag: etag}
	switch {
	case client.Code(err) == "no_such_calendar":
		k = client.Condition{Create: true}
	case err != nil:
		return err
	default:
		is.WeeklyHoliday, is.DayStart, is.Include, is.Intersect, is.Exclude = was.WeeklyHoliday, was.DayStart, was.Include, was.Intersect, was.Exclude
		if how.add {
			is.Holidays, is.Rules = was.Holidays, was.Rules
		}
	}
	if weekly != nil {
		is.WeeklyHoliday = weekly
	}
	addImported(&is, found)
	for _, s := range found.Skipped {
		inv.printFault(d.file, 0, 0, faultWarning, fmt.Sprintf("event %q was skipped: %s", s.Event, s.Reason))
	}
	return inv.showApplied(func(c *client.Client) (*rest.Calendar, error) {
		v, _, err := c.PutCalendar(inv.ctx, name, is, k)
		return v, err
	})
}

// addImported adds the dates and rules of a file that the calendar does not have
// yet.
func addImported(is *rest.NewCalendar, found *ical.Import) {
	dates, rules := map[rest.Holiday]bool{}, map[string]bool{}
	for _, h := range is.Holidays {
		dates[h] = true
	}
	for i := range is.Rules {
		rules[fmt.Sprint(ruleText(&is.Rules[i]), is.Rules[i].Except)] = true
	}
	for _, h := range found.Holidays {
		if v := (rest.Holiday{Date: h.Date.String(), Name: h.Name}); !dates[v] {
			is.Holidays = append(is.Holidays, v)
		}
	}
	for i := range found.Rules {
		if v := sentRule(&found.Rules[i]); !rules[fmt.Sprint(ruleText(&v), v.Except)] {
			is.Rules = append(is.Rules, v)
		}
	}
}

func sentRule(r *calendar.Rule) rest.CalendarRule {
	v := rest.CalendarRule{
		Name: r.Name, Yearly: r.Yearly, Easter: r.Easter, OrthodoxEaster: r.OrthodoxEaster, RRule: r.RRule, Start: r.Start.String(), End: r.End.String(), Days: r.Length,
	}
	for _, d := range r.Except {
		v.Except = append(v.Except, d.String())
	}
	return v
}

// parseWeekly parses weekdays such as sat,sun. It returns nil for an empty text.
func parseWeekly(text string) ([]bool, error) {
	if text == "" {
		return nil, nil
	}
	weekly := make([]bool, 7)
	for word := range strings.SplitSeq(text, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		known := word == "none"
		for day := time.Sunday; day <= time.Saturday; day++ {
			if name := strings.ToLower(day.String()); word == name || word == name[:3] {
				weekly[day], known = true, true
			}
		}
		if !known {
			return nil, usageErrorf("--weekly %q: want weekdays such as sat,sun, or none", text)
		}
	}
	return weekly, nil
}

func (c *CLI) calendarDelete() *cobra.Command {
	var m bulkFlags
	cmd := c.serverCommand("delete CALENDAR...", "Delete calendars that nothing uses", func(inv *invocation, args []string) error {
		t, err := inv.expandNames(args, "calendars", inv.allCalendars)
		if err != nil {
			return err
		}
		w := &bulkWork{bulkFlags: &m, one: "calendar", more: "calendars", verb: "delete", done: "deleted", destroys: true, check: func(t target) (string, error) {
			_, _, err := inv.client.Calendar(inv.ctx, t.name)
			return "", err
		}}
		return inv.deleteEach(w, &t, func(t target) (string, error) {
			return "Calendar " + t.name + " was deleted.", inv.client.DeleteCalendar(inv.ctx, t.name)
		})
	})
	cmd.Long = "Deletes calendars that no schedule and no other calendar uses. On a terminal it asks for confirmation; scripts use --yes.\n\n" + severalHelp
	m.addFlags(cmd)
	c.quietFlag(cmd)
	c.serverFlags(cmd)
	return cmd
}

func (inv *invocation) allCalendars() ([]string, error) {
	all, err := allPages(func(p client.Page) (rest.List[rest.Calendar], error) { return inv.client.Calendars(inv.ctx, p) })
	return namesOf(all, func(v *rest.Calendar) string { return v.Name }), err
}

func (inv *invocation) calendarNames() (all []cobra.Completion) {
	list, _ := inv.client.Calendars(inv.ctx, client.Page{Limit: completionMost})
	for i := range list.Results {
		v := &list.Results[i]
		all = append(all, cobra.CompletionWithDesc(oneLine(v.Name), strings.TrimSpace(weeklyText(v.WeeklyHoliday)+" "+countText(len(v.Holidays), "date", "dates"))))
	}
	return all
}
