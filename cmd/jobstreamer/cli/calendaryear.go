package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

func (c *CLI) calendarPreview() *cobra.Command {
	cmd := c.serverCommand("preview CALENDAR [YEAR]", "Show a year of a calendar with its holidays", func(inv *invocation, args []string) error {
		year := 0
		if len(args) > 1 {
			var err error
			if year, err = strconv.Atoi(args[1]); err != nil || year < 1970 || year > 2299 {
				return usageErrorf("YEAR %q: want a year from 1970 to 2299", args[1])
			}
		}
		return showAnswer(inv, func(c *client.Client) (rest.CalendarPreview, error) { return c.CalendarPreview(inv.ctx, args[0], year) }, drawYear)
	})
	cmd.Long = `Shows the months of a year (default: the present one). Holidays are marked with *, weekly holidays with a dot. Below, the holidays follow with their
names and, if the calendar is made of others, the calendar that has them.`
	cmd.Example = `  jobstreamer calendar preview bank 2027
  jobstreamer calendar preview bank 2027 -o json`
	c.showFlags(cmd)
	c.serverFlags(cmd)
	return cmd
}

const (
	dayWidth       = 3 // a number of two digits and a mark
	monthWidth     = 7 * dayWidth
	monthsInRow    = 3
	betweenMonths  = 3
	maxWeeks       = 6
	holidayMark    = "*"
	weeklyMark     = "."
	legendDateForm = "Mon 2 Jan"
)

// drawYear writes the months of a year, three in a row, and the names of the
// holidays.
func drawYear(p *page, v rest.CalendarPreview) {
	holidays := map[string]*rest.PreviewHoliday{}
	for i := range v.Holidays {
		holidays[v.Holidays[i].Date] = &v.Holidays[i]
	}
	fmt.Fprintf(p, "%s %d: %s, %s\n", p.inColor(bold, printable(v.Name)), v.Year, countText(v.BusinessDays, "business day", "business days"), countText(len(v.Holidays), "holiday", "holidays"))
	for first := time.January; first <= time.December; first += monthsInRow {
		fmt.Fprintln(p)
		for line := range maxWeeks + 2 {
			var b strings.Builder
			visible := 0
			for m := first; m < first+monthsInRow; m++ {
				b.WriteString(strings.Repeat(" ", int(m-first)*(monthWidth+betweenMonths)-visible))
				text, width := monthLine(p, v.Year, m, line, holidays)
				b.WriteString(text)
				visible = int(m-first)*(monthWidth+betweenMonths) + width
			}
			if text := strings.TrimRight(b.String(), " "); text != "" {
				fmt.Fprintln(p, text)
			}
		}
	}
	drawLegend(p, v)
}

// monthLine returns a line of a month, and how many columns it takes: the name,
// the weekdays from Monday, then the weeks.
func monthLine(p *page, year int, m time.Month, line int, holidays map[string]*rest.PreviewHoliday) (text string, width int) {
	switch line {
	case 0:
		return p.inColor(bold, m.String()), len(m.String())
	case 1:
		return "Mo Tu We Th Fr Sa Su", monthWidth - 1
	}
	var b strings.Builder
	start := time.Date(year, m, 1, 0, 0, 0, 0, time.UTC)
	day := 1 - (int(start.Weekday())+6)%7 + (line-2)*7
	for end := day + 7; day < end; day++ {
		t := start.AddDate(0, 0, day-1)
		if t.Month() != m || day < 1 {
			b.WriteString(strings.Repeat(" ", dayWidth))
			continue
		}
		number, mark, color := fmt.Sprintf("%2d", day), " ", ""
		if h := holidays[t.Format(time.DateOnly)]; h != nil {
			mark, color = holidayMark, red
			if h.Weekly {
				mark, color = weeklyMark, faint
			}
		}
		b.WriteString(p.inColor(color, number+mark))
	}
	return b.String(), monthWidth
}

// drawLegend writes the names of the holidays of a year. It leaves out weekly
// holidays.
func drawLegend(p *page, v rest.CalendarPreview) {
	shown := 0
	for _, h := range v.Holidays {
		if h.Weekly {
			continue
		}
		if shown++; shown == 1 {
			fmt.Fprintf(p, "\n%s holiday   %s weekly holiday\n\n", holidayMark, weeklyMark)
		}
		t, err := time.Parse(time.DateOnly, h.Date)
		if err != nil {
			continue
		}
		text := fmt.Sprintf("%-10s  %s", t.Format(legendDateForm), printable(h.Name))
		if h.Calendar != v.Name {
			text += " (calendar " + printable(h.Calendar) + ")"
		}
		text = strings.TrimRight(text, " ")
		if p.width > 0 {
			text = cutText(text, p.width)
		}
		fmt.Fprintln(p, text)
	}
	if shown == 0 {
		fmt.Fprintf(p, "\n%s weekly holiday\n", weeklyMark)
	}
}
