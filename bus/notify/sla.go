package notify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	// recordLag is how long after a deadline it is checked: the record of an
	// execution that has met it may be behind.
	recordLag = 5 * time.Second
	// lookBack is how old a broken promise may be to be found at a start.
	lookBack = 24 * time.Hour
	// scanSlack is how far the clocks of buses, which create executions, may be
	// apart.
	scanSlack = time.Minute
	scanPage  = 200
	maxScan   = 10_000 // executions of one job that one round reads
)

// slaMonitor checks what jobs have promised, as a leased task.
type slaMonitor struct {
	*Notifier
	jobs map[jobName]*promisedJob
}

type jobName struct{ app, key string }

// promisedJob is a job that has promised something.
type promisedJob struct {
	app, job string
	sla      bus.SLA
	scanned  time.Time                // executions created before were read
	checked  time.Time                // by the last round in which it had promised something
	open     map[int64]map[int64]bool // executions of each instance that is not settled
}

// runAlerts checks all promises, and queues the notifications of alerts.
func (n *Notifier) runAlerts(ctx context.Context, lease string) error {
	m := &slaMonitor{Notifier: n, jobs: map[jobName]*promisedJob{}}
	monitor := n.newTimeMonitor(bus.ActionAlert)
	return n.b.RunLeasedTask(ctx, lease, n.every, func(ctx context.Context) error {
		return errors.Join(monitor.checkRunning(ctx), m.checkJobs(ctx, time.Now()), n.queueAlerts(ctx))
	})
}

// checkJobs checks each job that promises something.
func (m *slaMonitor) checkJobs(ctx context.Context, now time.Time) error {
	var all error
	promised := m.x.Promised()
	for _, p := range promised {
		at := jobName{p.App, p.Key}
		j := m.jobs[at]
		if j == nil || j.sla != *p.SLA {
			j = &promisedJob{app: p.App, job: p.Key, sla: *p.SLA, scanned: now.Add(-lookBack), open: map[int64]map[int64]bool{}}
			m.jobs[at] = j
		}
		j.checked = now
		all = errors.Join(all, m.checkJob(ctx, j, p.Newest, now))
	}
	if len(m.jobs) > len(promised) {
		maps.DeleteFunc(m.jobs, func(_ jobName, j *promisedJob) bool { return j.checked != now })
	}
	return all
}

// checkJob checks a job whose newest execution was created at newest.
func (m *slaMonitor) checkJob(ctx context.Context, j *promisedJob, newest subjects.Time, now time.Time) error {
	if newest.Std().Before(j.scanned.Add(-scanSlack)) { // also if there is none
		j.scanned = now
	} else {
		m.scanExecutions(j, now)
	}
	all := m.checkMissing(ctx, j, newest.Std(), now)
	for instance, executions := range j.open {
		settled, err := m.checkInstance(ctx, j, instance, executions, now)
		if settled && err == nil {
			delete(j.open, instance)
		}
		all = errors.Join(all, err)
	}
	return all
}

// scanExecutions adds the executions that are new since the last scan.
func (m *slaMonitor) scanExecutions(j *promisedJob, now time.Time) {
	defer func() { j.scanned = now }()
	for offset := 0; offset < maxScan; offset += scanPage {
		page, _ := m.x.Executions(j.app, j.job, offset, scanPage)
		for i := range page {
			e := &page[i]
			if e.CreateTime.Std().Before(j.scanned.Add(-scanSlack)) {
				return
			}
			if j.open[e.InstanceID] == nil {
				j.open[e.InstanceID] = map[int64]bool{}
			}
			j.open[e.InstanceID][e.ID] = true
		}
		if len(page) < scanPage {
			return
		}
	}
}

// checkMissing raises an alert if there was no execution for too long.
func (m *slaMonitor) checkMissing(ctx context.Context, j *promisedJob, newest, now time.Time) error {
	most, err := time.ParseDuration(j.sla.MissingAfter)
	if err != nil { // not promised
		return nil
	}
	last := j.sla.Since.Std()
	if newest.After(last) {
		last = newest
	}
	due := last.Add(most)
	if now.Before(due.Add(recordLag)) {
		return nil
	}
	return m.raiseAlert(ctx, &bus.Alert{
		App: j.app, Job: j.job, Rule: bus.RuleMissing, Due: subjects.TimeOf(due), Type: j.sla.Type,
		Text: fmt.Sprintf("there was no execution for %s", most),
	})
}

// checkInstance checks the promises about one execution and its restarts. It is
// settled when all of them were kept or have led to an alert.
func (m *slaMonitor) checkInstance(ctx context.Context, j *promisedJob, instance int64, ids map[int64]bool, now time.Time) (settled bool, err error) {
	var all []index.Summary
	for id := range ids {
		if e, ok := m.x.Find(id); ok {
			all = append(all, e)
		}
	}
	if len(all) == 0 { // deleted
		return true, nil
	}
	first := all[0]
	if e, ok := m.x.Find(instance); ok {
		first = e
	}
	nominal := first.CreateTime.Std()
	if !first.ScheduledFor.IsZero() {
		nominal = first.ScheduledFor.Std()
	}
	settled = true
	check := func(rule string, due time.Time, kept bool, text string) {
		switch {
		case kept || !due.After(j.sla.Since.Std()) || now.Sub(due) > lookBack:
		case now.Before(due.Add(recordLag)):
			settled = false
		default:
			err = errors.Join(err, m.raiseAlert(ctx, &bus.Alert{
				App: j.app, Job: j.job, Rule: rule, Execution: instance, Due: subjects.TimeOf(due), Type: j.sla.Type, Text: text,
			}))
		}
	}
	if within, wrong := time.ParseDuration(j.sla.StartWithin); wrong == nil {
		due := nominal.Add(within)
		check(bus.RuleStart, due, hasStarted(all, due), fmt.Sprintf("execution %d did not start within %s", instance, within))
	}
	if due, promised := j.sla.Deadline(nominal, m.zone); promised {
		check(bus.RuleFinish, due, hasCompleted(all, due), fmt.Sprintf("execution %d was not completed by %s", instance, due.Format("2006-01-02 15:04 MST")))
	}
	return settled, err
}

// hasStarted reports whether one of the executions had started at a time, or had
// ended before it could start.
func hasStarted(all []index.Summary, by time.Time) bool {
	for i := range all {
		e := &all[i]
		if at := e.StartTime; !at.IsZero() && !at.Std().After(by) || at.IsZero() && e.BatchStatus.Ended() && !e.EndTime.Std().After(by) {
			return true
		}
	}
	return false
}

// hasCompleted reports whether one of the executions had completed at a time.
func hasCompleted(all []index.Summary, by time.Time) bool {
	for i := range all {
		if e := &all[i]; e.BatchStatus == subjects.Completed && !e.EndTime.Std().After(by) {
			return true
		}
	}
	return false
}
