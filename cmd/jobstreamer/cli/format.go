package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// timeText returns the time of day, with the date unless it is today. On a live
// page, it adds the age.
func (p *page) timeText(t subjects.Time) string {
	if t.IsZero() {
		return ""
	}
	text := p.localText(t, time.TimeOnly, "2006-01-02 15:04")
	if p.live {
		text += " (" + agoText(p.now.Sub(t.Std())) + ")"
	}
	return text
}

// localText formats a time in the zone of the page, with the layout sameDay if
// it is today.
func (p *page) localText(t subjects.Time, sameDay, otherDay string) string {
	local := t.Std().In(p.zone)
	if local.Format(time.DateOnly) == p.now.In(p.zone).Format(time.DateOnly) {
		return local.Format(sameDay)
	}
	return local.Format(otherDay)
}

// logTime returns the time of a line of output, in milliseconds.
func (p *page) logTime(t subjects.Time) string {
	return p.localText(t, "15:04:05.000", "2006-01-02 15:04:05.000")
}

// localTimeText returns an RFC 3339 time as people write it, with its own offset:
// 2026-11-24 18:00:00 +01:00.
func localTimeText(text string) string {
	day, clock, ok := strings.Cut(text, "T")
	if !ok || len(clock) < len("15:04:05") {
		return text
	}
	return strings.TrimSpace(day + " " + clock[:8] + " " + strings.Replace(clock[8:], "Z", "UTC", 1))
}

// timeCell returns a time for a table. Its short form is the age on a live
// page, and the time without the current year elsewhere.
func (p *page) timeCell(t subjects.Time) flexCell {
	e := flexCell{cell: cell{text: p.timeText(t)}}
	local := t.Std().In(p.zone)
	switch {
	case t.IsZero():
	case p.live:
		e.short = agoText(p.now.Sub(local))
	case len(e.text) > len(time.TimeOnly) && local.Year() == p.now.In(p.zone).Year():
		e.short = local.Format("01-02 15:04")
	}
	return e
}

// agoText returns an age, or the time until a future event, in one unit.
func agoText(d time.Duration) string {
	if d < 0 {
		return "in " + roundText(-d)
	}
	return roundText(d) + " ago"
}

func roundText(d time.Duration) string {
	switch day := 24 * time.Hour; {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 2*day:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d/day))
	}
}

// tookText returns the duration between two times. On a live page, it is the
// duration until now if there is no end yet.
func (p *page) tookText(start, end subjects.Time) string {
	switch {
	case start.IsZero():
		return ""
	case !end.IsZero():
		return durationText(end.Std().Sub(start.Std()))
	case p.live:
		return durationText(p.now.Sub(start.Std()).Truncate(time.Second))
	}
	return ""
}

// durationText returns a duration with about three digits.
func durationText(d time.Duration) string {
	switch {
	case d < time.Second:
		d = d.Round(time.Millisecond)
	case d < time.Minute:
		d = d.Round(100 * time.Millisecond)
	default:
		d = d.Round(time.Second)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// sizeText returns a number of bytes with a unit.
func sizeText(n int64) string {
	const unit = 1000
	f, units := float64(n), []string{"B", "kB", "MB", "GB", "TB"}
	for f >= unit && len(units) > 1 {
		f, units = f/unit, units[1:]
	}
	if units[0] == "B" || f >= 100 {
		return fmt.Sprintf("%.0f %s", f, units[0])
	}
	return fmt.Sprintf("%.1f %s", f, units[0])
}

// statusCell returns a batch status in its color.
func statusCell(s subjects.BatchStatus) cell {
	switch {
	case s == subjects.Completed:
		return cell{string(s), green}
	case s == subjects.Failed || s == subjects.Abandoned:
		return cell{string(s), red}
	case s == subjects.Stopped || s == subjects.Stopping || s == subjects.Unknown:
		return cell{string(s), yellow}
	case s.Running():
		return cell{string(s), cyan}
	}
	return cell{string(s), ""}
}

// textOf returns the string of a pointer, or "" if it is nil.
func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// countText returns a number with its noun.
func countText(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// yesText returns "yes" or "".
func yesText(b bool) string {
	if b {
		return "yes"
	}
	return ""
}
