package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// groupFlags select all schedules, or those of an application, in place of jobs.
type groupFlags struct{ all, app bool }

func (g *groupFlags) addFlags(f *pflag.FlagSet) {
	f.BoolVar(&g.all, "all", false, "in place of JOB: all schedules of all applications, for admins")
	f.BoolVar(&g.app, "whole-app", false, "in place of JOB: all schedules of the application")
}

// isChosen reports whether a command is about a group of schedules and not about
// jobs. The error says what does not go together.
func (g *groupFlags) isChosen(inv *invocation, args []string, name string) (bool, error) {
	flag := map[bool]string{true: "--all", false: "--whole-app"}[g.all]
	switch app := inv.flagText("app", inv.CLI.app); {
	case !g.all && !g.app && len(args) == 0:
		return false, usageErrorf("want JOB, --whole-app or --all")
	case !g.all && !g.app:
		return false, nil
	case g.all && g.app:
		return false, usageErrorf("--all cannot be combined with --whole-app")
	case len(args) > 0:
		return false, usageErrorf("%s cannot be combined with JOB", flag)
	case name != "":
		return false, usageErrorf("%s cannot be combined with --name", flag)
	case g.all && app != "":
		return false, usageErrorf("--all means all applications; for one of them use --whole-app%s", app)
	}
	return true, nil
}

// changeGroup pauses or resumes all schedules, or those of the application. On a
// terminal it asks for confirmation first.
func (inv *invocation) changeGroup(v *scheduleChange, g *groupFlags, m *bulkFlags) error {
	app, what := "", "all schedules of all applications"
	if g.app {
		app, what = inv.app, "all schedules of application "+inv.app
	}
	switch {
	case m.dry:
		inv.printDone("would %s %s\n", v.verb, what)
		fmt.Fprintln(inv.Err, nothingChanged)
		return nil
	case IsTerminal(inv.In):
		if err := inv.confirm(m.sure, strings.ToUpper(v.verb[:1])+v.verb[1:]+" "+what+"?"); err != nil {
			return err
		}
	}
	return v.group(inv, app)
}

// drawGroupPauses writes a line for each pause.
func (p *page) drawGroupPauses(all []rest.GroupPause) {
	for i := range all {
		fmt.Fprintf(p, "%s.\n", p.groupPauseText(&all[i]))
	}
}

// groupPauseText says since when an application or all schedules are paused, by
// whom, and why.
func (p *page) groupPauseText(g *rest.GroupPause) string {
	return groupName(g.App) + " are paused since " + p.timeText(g.At) + byAndWhy(&g.Pause)
}

// groupName names a group of schedules at the beginning of a sentence.
func groupName(app *string) string {
	if app == nil {
		return "All schedules"
	}
	return "All schedules of application " + *app
}

// byAndWhy returns who paused schedules, and why: " by ann: maintenance".
func byAndWhy(p *rest.Pause) (text string) {
	if p.By != nil {
		text = " by " + *p.By
	}
	if p.Reason != "" {
		text += ": " + oneLine(p.Reason)
	}
	return text
}

func lowerFirst(text string) string { return strings.ToLower(text[:1]) + text[1:] }

// drawGroupResumed says what the end of a pause makes up for.
func drawGroupResumed(p *page, is rest.GroupResumed) {
	name := lowerFirst(groupName(is.App))
	if r := is.Resumed; r == nil {
		fmt.Fprintf(p, "There was no pause of %s.\n", name)
	} else {
		fmt.Fprintf(p, "The pause of %s has ended%s.\n", name, groupPassedText(r))
	}
	p.drawGroupPauses(is.GroupPauses)
}

// groupPassedText returns how many fire times passed during a pause, and what
// becomes of them.
func groupPassedText(r *rest.GroupResumption) string {
	if r.Count == 0 {
		return "; no fire time passed during it"
	}
	times := countText(r.Count, "fire time", "fire times")
	if r.Capped {
		times = "more than " + times
	}
	what := "skipped"
	if r.CatchUp {
		what = "handled as misfires"
	}
	verb := map[bool]string{true: "is", false: "are"}[r.Count == 1 && !r.Capped]
	return fmt.Sprintf("; %s of %s %s %s", times, countText(r.Schedules, "schedule", "schedules"), verb, what)
}

// isHeld reports whether anything pauses a schedule.
func isHeld(s *rest.Schedule) bool { return !s.Active || len(s.GroupPauses) > 0 }

// heldText returns who paused a schedule, its application or all schedules, and
// why.
func heldText(s *rest.Schedule) string {
	if !s.Active || len(s.GroupPauses) == 0 {
		return pausedText(s)
	}
	g := &s.GroupPauses[0]
	what := "all schedules are paused"
	if g.App != nil {
		what = "the application is paused"
	}
	return what + byAndWhy(&g.Pause)
}
