package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// at is a time of day, with its day if that is another one. Somebody who looks is told how long ago that is.
func (p *page) timeText(t subjects.Time) string {
	if t.IsZero() {
		return ""
	}
	local, now := t.Std().In(p.zone), p.now.In(p.zone)
	layout := "2006-01-02 15:04"
	if local.Format(time.DateOnly) == now.Format(time.DateOnly) {
		layout = time.TimeOnly
	}
	text := local.Format(layout)
	if p.live {
		text += " (" + agoText(p.now.Sub(local)) + ")"
	}
	return text
}

// when is at in a table, where it may be shorter: how long ago that is, and where nobody looks the time without this year.
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

// ago is a distance in time, in one unit.
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

// took is how long something took, or takes until now if somebody looks.
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

// short is a duration in three digits or so.
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

// size is a number of bytes.
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

// status is a batch status in its colour.
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

// text is what a pointer points at, or nothing.
func textOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// count is a number of things.
func countText(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// yes is a truth value for people; nothing if it is false.
func yesText(b bool) string {
	if b {
		return "yes"
	}
	return ""
}
