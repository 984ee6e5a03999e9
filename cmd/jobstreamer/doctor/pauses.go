package doctor

import (
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
)

// checkPauses reports pauses of all schedules and of applications that are on: a
// pause that somebody forgot looks like a control bus that does not work.
func checkPauses(stored map[string]bus.Pauses) Check {
	c := Check{Name: "pauses", Saw: "neither an application nor all schedules are paused"}
	var set *bus.PauseSet
	for key, v := range stored {
		set = set.With(key, &v, 1) // any revision: each key is there once
	}
	for _, p := range set.AllOn() {
		what, do := "all schedules are paused", "jobstreamer schedule resume --all"
		if p.App != "" {
			what, do = "all schedules of application "+p.App+" are paused", "jobstreamer schedule resume --whole-app --app "+p.App
		}
		what += " since " + p.From.Std().UTC().Format(time.DateTime) + " UTC"
		if p.By != "" {
			what += " by " + p.By
		}
		if p.Reason != "" {
			what += ": " + p.Reason
		}
		c.addFinding("if they should fire again: "+do, "%s", what)
	}
	return c
}
