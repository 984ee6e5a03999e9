package cli

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

var clockTimes = regexp.MustCompile(`\d\d:\d\d:\d\d( \(.*ago\))?|202\d-\d\d-\d\d \d\d:\d\d(:\d\d)?`)

// TestGroupPauses records the output of commands about pauses of an application
// and of all schedules in one file.
func TestGroupPauses(t *testing.T) {
	e, _ := withBus(t)
	e.applyFiles(t, "day", "Noop")
	e.applyFiles(t, "night", "Noop")
	var all strings.Builder
	for _, line := range []string{
		"schedule set day 0%0%3%1%1%?%2198", "schedule set night 0%0%4%1%1%?%2198 --name late", "schedule set night 0%0%5%1%1%?%2198",
		"schedule pause", "schedule pause --all day", "schedule pause --all --name late", "schedule pause --all --whole-app", "schedule pause --all --app shop", "schedule resume", "schedule resume --whole-app day",
		"schedule pause --all --dry-run", "schedule resume --all", "schedule resume --whole-app", "schedule pause --whole-app --app none",
		"schedule pause night --reason own", "schedule pause --whole-app --reason inventory", "schedule pause --all --reason maintenance", "schedule pause --all --reason again",
		"schedule list", "schedule list -o wide", "schedule list --paused", "schedule show day", "schedule show night", "job list", "schedule preview day -n 1", "schedule preview 0%0%3%1%1%?%2198 -n 1",
		"schedule tonight", "schedule tonight --all", "schedule set day 0%0%6%1%1%?%2198", "schedule resume night", "why day 1m",
		"schedule resume --all --catch-up", "schedule list", "schedule tonight", "schedule resume --whole-app -o json", "schedule resume --whole-app", "schedule list",
	} {
		args := strings.Fields(line)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "%", " ")
		}
		got := e.runOnce(t.Context(), args...)
		fmt.Fprintf(&all, "$ jobstreamer %s\n%s%s", strings.ReplaceAll(line, "%", " "), clockTimes.ReplaceAllString(stableTimes.ReplaceAllString(got.out, "(time)"), "(clock)"), got.err)
		if exit := ExitStatus(got.failed); exit != 0 {
			fmt.Fprintf(&all, "=> %d\n", exit)
		}
		all.WriteString("\n")
	}
	checkGolden(t, "grouppauses", all.String())
}
