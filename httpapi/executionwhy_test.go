package httpapi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/audit"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

func TestExecutionStory(t *testing.T) {
	const at = subjects.Time(1_793_498_400_000) // 2026-11-01T02:00:00Z
	failed := func(set func(e *bus.Execution)) *bus.Execution {
		e := &bus.Execution{Retry: &bus.Retry{Run: 1, Attempts: 3}}
		e.ID, e.BatchStatus, e.CreateTime, e.StartTime, e.EndTime, e.Agent, e.Attempt, e.ExitStatus, e.Exception = 41, subjects.Failed, at, at+1000, at+5000, "a1", 1, "NO DISK", "no space left"
		set(e)
		return e
	}
	const ended = "It began on agent a1 at 2026-11-01 02:00:01 UTC. It is failed since 2026-11-01 02:00:05 UTC, with the exit status NO DISK: no space left. "
	for _, tt := range []struct {
		name string
		e    *bus.Execution
		rows []audit.Stored
		wait execution.Waiting
		want string
	}{
		{"a schedule", failed(func(e *bus.Execution) {
			e.Schedule, e.ScheduledFor, e.ScheduledDate, e.RetryEnded = "late", at, "2026-11-01", "it was the last of 3 runs"
		}), nil, execution.Waiting{},
			"schedule: Schedule late fired it at 2026-11-01 02:00:00 UTC. It runs for 2026-11-01 02:00:00 UTC, business date 2026-11-01. " + ended + "It was run 1 of 3; the bus does not restart it: it was the last of 3 runs."},
		{"a backfill", failed(func(e *bus.Execution) {
			e.Schedule, e.Backfill, e.RetryDue = "default", 7, at+60000
		}), nil, execution.Waiting{},
			"backfill: Backfill 7 of schedule default started it at 2026-11-01 02:00:00 UTC. " + ended + "It was run 1 of 3; the bus restarts it at 2026-11-01 02:01:00 UTC."},
		{"triggers", failed(func(e *bus.Execution) {
			e.Retry, e.Causes = nil, []bus.Cause{{App: "a", Job: "load", Execution: 3}, {App: "b", Job: "rates", Execution: 4}}
		}), nil, execution.Waiting{},
			"trigger: The triggers of the job started it at 2026-11-01 02:00:00 UTC, after the end of execution 3 of a.load and execution 4 of b.rates. " + strings.TrimSpace(ended)},
		{"a retry", failed(func(e *bus.Execution) {
			e.RestartOf, e.Retry.Run, e.BatchStatus, e.EndTime, e.Exception, e.ExitStatus, e.Attempt = 40, 2, subjects.Started, 0, "", "", 2
		}), nil, execution.Waiting{},
			"retry: The bus started it at 2026-11-01 02:00:00 UTC as run 2 of 3: execution 40 had failed. It is in attempt 2: an agent was lost in an earlier one. It began on agent a1 at 2026-11-01 02:00:01 UTC."},
		{"a person, whose execution another one stops", failed(func(e *bus.Execution) {
			e.Retry, e.BatchStatus, e.ExitStatus, e.Exception = nil, subjects.Stopped, "STOPPED", ""
		}), []audit.Stored{{Row: audit.Row{Action: "post-job-executions", User: "ann"}}, {Row: audit.Row{Action: "put-job-execution-stop", User: "bob", Time: at + 3000}}}, execution.Waiting{},
			"user: It was started through the API at 2026-11-01 02:00:00 UTC by ann. It began on agent a1 at 2026-11-01 02:00:01 UTC. A stop was requested at 2026-11-01 02:00:03 UTC by bob. It is stopped since 2026-11-01 02:00:05 UTC."},
		{"a restart that waits", failed(func(e *bus.Execution) {
			e.Retry, e.RestartOf, e.BatchStatus, e.StartTime, e.EndTime = nil, 40, subjects.Unrestarted, 0, 0
		}), nil, execution.Waiting{For: "no agent", Position: 3},
			"restart: It was started at 2026-11-01 02:00:00 UTC as a restart of execution 40. It waits, at position 3: no agent."},
		{"a timeout", failed(func(e *bus.Execution) {
			e.Retry, e.TimedOut, e.TimeoutMS, e.ExitStatus, e.Exception = nil, at+4000, 3000, bus.TimeoutExit, "it ran longer than 3s"
		}), nil, execution.Waiting{},
			"user: It was started through the API at 2026-11-01 02:00:00 UTC. It began on agent a1 at 2026-11-01 02:00:01 UTC. At 2026-11-01 02:00:04 UTC it had run longer than its timeout of 3s. " +
				"It is failed since 2026-11-01 02:00:05 UTC, with the exit status TIMEOUT: it ran longer than 3s."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := executionStory{e: tt.e, name: func(_, job string) string { return job }, rows: tt.rows, waiting: tt.wait}
			facts := append(x.start(), x.course()...)
			var texts []string
			for _, f := range facts {
				texts = append(texts, f.Text)
			}
			if got := facts[0].Kind + ": " + strings.Join(texts, " "); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestWhyOfAnExecution(t *testing.T) {
	e := newEnv(t, withLogin)
	admin := bearing(e.user("admin", bus.RoleAdmin).Token)
	operator := bearing(e.user("ann", bus.RoleOperator).Token)
	e.call("PUT", "/default/job/load", `{"id":"load","steps":[{"id":"s"}]}`, admin...).want(201)
	var x rest.Execution
	e.call("POST", "/default/job/load/executions", "", operator...).want(201).into(&x)
	path := fmt.Sprintf("/default/execution/%d", x.ExecutionID)
	why := func(who []string, want ...string) {
		t.Helper()
		eventually(t, strings.Join(want, ", "), func() bool {
			body := string(e.call("GET", path+"/why", "", who...).want(200).body)
			for _, text := range want {
				if !strings.Contains(body, text) {
					return false
				}
			}
			return true
		})
	}
	why(operator, `"kind":"user"`, `It was started through the API at `, `It waits, at position 1: no agent serves pool default`)
	why(admin, ` by ann."`, `"by":"ann"`)
	if r := e.call("GET", path+"/why", "", operator...).want(200); strings.Contains(string(r.body), "ann") {
		t.Errorf("the audit is for admins: %s", r.body)
	}
	e.call("PUT", fmt.Sprintf("/default/job/load/execution/%d/stop", x.ExecutionID), "", admin...).want(200)
	why(admin, `"kind":"stop"`, ` by admin."`, "It is stopped since ")
	var restart rest.Execution
	e.call("PUT", fmt.Sprintf("/default/job/load/execution/%d/restart", x.ExecutionID), "", operator...).want(201).into(&restart)
	why(operator, `"kind":"restarted"`, fmt.Sprintf("Execution %d restarts it; that one is unrestarted.", restart.ExecutionID))
	path = fmt.Sprintf("/default/execution/%d", restart.ExecutionID)
	why(admin, fmt.Sprintf("as a restart of execution %d by ann.", x.ExecutionID))
	e.call("GET", "/default/execution/99999999/why", "", admin...).code(404, "no_such_job_execution")
	e.call("GET", "/default/execution/x/why", "", admin...).code(404, "no_such_job_execution")
}
