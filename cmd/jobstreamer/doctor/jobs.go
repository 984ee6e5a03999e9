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
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// maxNamed is the maximum number of jobs that a finding names.
const maxNamed = 5

// checkJobs reports jobs whose pool no agent serves, jobs whose notifications
// cannot be sent, and jobs that would be refused for parameters in their
// commands. It leaves out pools in waiting, which
// checkQueues reports, and all pools if there is no agent, which checkAgents
// reports.
func (x *examination) checkJobs(waiting map[string]bool) Check {
	c := Check{Name: "jobs"}
	all, unserved := 0, map[string][]string{}
	var notifying, unsafe []string
	for _, j := range x.jobs {
		if j.Definition == nil {
			continue
		}
		all++
		if wantsNotifications(&j) {
			notifying = append(notifying, j.App+"/"+j.Name)
		}
		if def, err := jsl.Restore(j.Definition); err == nil && def.SubstitutesUnsafely() {
			unsafe = append(unsafe, j.App+"/"+j.Name)
		}
		if pool := poolOf(&j); len(x.heard) > 0 && !waiting[j.App+"="+pool] && !x.hasAgentFor(j.App, pool) {
			unserved[j.App+"="+pool] = append(unserved[j.App+"="+pool], j.Name)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(unserved)) {
		app, pool, _ := strings.Cut(key, "=")
		c.addFinding("start an agent: jobstreamer agent --apps "+app+" --pools "+pool+"; or correct the pool in the definitions",
			"%s of application %s in pool %s: no agent serves this pool (%s)", countText(len(unserved[key]), "job"), app, pool, firstNames(unserved[key]))
	}
	if _, sends := x.leases[notify.AlertsLease]; len(notifying) > 0 && !sends && !x.full {
		c.addFinding("start a control bus with --senders FILE or --notificator-url URL, or remove the notifications from the settings of the jobs",
			"%s with notifications that cannot be sent: no control bus has senders or a notificator (%s)", countText(len(notifying), "job"), firstNames(notifying))
	}
	if len(unsafe) > 0 {
		c.addFinding("use variables such as $JOBSTREAMER_PARAM_NAME in the commands, or set unsafe_substitution in the definitions",
			"%s with parameters in shell commands: whoever may start them can run any command (%s)", countText(len(unsafe), "job"), firstNames(unsafe))
	}
	c.Saw = countText(all, "job") + ", all pools served by agents"
	if len(x.heard) == 0 {
		c.Saw = countText(all, "job")
	}
	return c
}

// poolOf returns the pool that a job's definition names.
func poolOf(j *bus.Job) string {
	var d struct {
		Pool string `json:"pool"`
	}
	_ = json.Unmarshal(j.Definition, &d) // the bus reports an invalid definition
	return cmp.Or(d.Pool, subjects.DefaultPool)
}

// hasAgentFor reports whether an agent serves a pool. An expected agent that is
// silent counts, since checkAgents reports it.
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
	m, sla := j.Settings.TimeMonitor, j.Settings.SLA
	return len(j.Settings.Notifications) > 0 || m != nil && m.Action == bus.ActionAlert || sla != nil && sla.Type != ""
}

// firstNames returns the first names, and how many more there are.
func firstNames(all []string) string {
	slices.Sort(all)
	if len(all) > maxNamed {
		return strings.Join(all[:maxNamed], ", ") + fmt.Sprintf(" and %d more", len(all)-maxNamed)
	}
	return strings.Join(all, ", ")
}
