package doctor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/notify"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// maxNamed is how many jobs a finding names.
const maxNamed = 5

// checkJobs says which jobs nobody would run, and whose notifications nobody
// would send. Of the pools in waiting the check of the queues speaks; without
// any agent that of the agents does.
func (x *examination) checkJobs(waiting map[string]bool) Check {
	c := Check{Name: "jobs"}
	all, unserved, notifying := 0, map[string][]string{}, []string{}
	for _, j := range x.jobs {
		if j.Definition == nil {
			continue
		}
		all++
		if wantsNotifications(&j) {
			notifying = append(notifying, j.App+"/"+j.Name)
		}
		if pool := poolOf(&j); len(x.heard) > 0 && !waiting[j.App+"="+pool] && !x.hasAgentFor(j.App, pool) {
			unserved[j.App+"="+pool] = append(unserved[j.App+"="+pool], j.Name)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(unserved)) {
		app, pool, _ := strings.Cut(key, "=")
		c.addFinding("start an agent for them: jobstreamer agent --apps "+app+" --pools "+pool+"; or correct the pool in the definition",
			"%s of application %s in pool %s: no agent takes work from it (%s)", countText(len(unserved[key]), "job"), app, pool, firstNames(unserved[key]))
	}
	if _, sends := x.leases[notify.AlertsLease]; len(notifying) > 0 && !sends && !x.full {
		c.addFinding("start the control bus with --notificator-url URL, or remove the notifications from the jobs' settings",
			"%s with notifications, and no control bus has a notificator: none is sent (%s)", countText(len(notifying), "job"), firstNames(notifying))
	}
	c.Saw = countText(all, "job") + ", agents serve their pools"
	if len(x.heard) == 0 {
		c.Saw = countText(all, "job")
	}
	return c
}

// poolOf is the pool that a job's definition names.
func poolOf(j *bus.Job) string {
	var d struct {
		Pool string `json:"pool"`
	}
	_ = json.Unmarshal(j.Definition, &d) // what cannot be read is for the bus to say
	return cmp.Or(d.Pool, subjects.DefaultPool)
}

// hasAgentFor says whether an agent takes work of a pool, or did and is missed.
func (x *examination) hasAgentFor(app, pool string) bool {
	for _, h := range x.heard {
		if slices.Contains(h.Apps, app) && slices.Contains(h.Pools, pool) {
			return true
		}
	}
	for _, a := range x.agents {
		if a.isExpected() && slices.Contains(a.Apps, app) && slices.Contains(a.Pools, pool) {
			return true
		}
	}
	return false
}

func wantsNotifications(j *bus.Job) bool {
	m := j.Settings.TimeMonitor
	return len(j.Settings.Notifications) > 0 || m != nil && m.Action == bus.ActionAlert
}

// firstNames are the first of many names.
func firstNames(all []string) string {
	slices.Sort(all)
	if len(all) > maxNamed {
		return strings.Join(all[:maxNamed], ", ") + fmt.Sprintf(" and %d more", len(all)-maxNamed)
	}
	return strings.Join(all, ", ")
}
