package main

import (
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// TestAgentOfTheSchedulesPool holds that an agent of the pool of a schedule runs
// what the schedule fires and its restart, while the agent of dev, in the pool
// of the job, runs what a user starts.
func TestAgentOfTheSchedulesPool(t *testing.T) {
	t.Parallel()
	token := writeJoinToken(t, "correct-horse-battery", 0o600)
	d := startDev(t, t.TempDir(), "--join-token-file", token, "--join-apps", "default")
	d.putJob(t, "fails", `{"id":"fails","steps":[{"id":"s","command":"exit 3"}]}`)
	a := startJoining(t, d, token, t.TempDir())
	if o := runCaptured(t.Context(), testEnv, "schedule", "set", "fails", "* * * * * ?", "--pool", "remote", "--server", d.rest); o.code != exitOK {
		t.Fatalf("exit code %d: %s", o.code, o.err)
	}
	var fired *rest.ExecutionSummary
	waitUntil(t, "the schedule fires", func() bool {
		list, err := d.Executions(t.Context(), "default", "fails", client.Page{})
		failOnError(t, err)
		for i := range list.Results {
			if e := &list.Results[i]; e.ExecutionID != 0 && e.BatchStatus == subjects.Failed {
				fired = e
			}
		}
		return fired != nil
	})
	if fired.Agent == nil || fired.Agent.Name != "a1" || fired.Schedule == nil {
		t.Errorf("fired: %+v", fired)
	}
	again, err := d.Restart(t.Context(), "default", "fails", fired.ExecutionID, client.Submission{Wait: time.Minute})
	if err != nil || again.BatchStatus != subjects.Failed || again.Agent == nil || again.Agent.Name != "a1" {
		t.Errorf("restarted: %+v, %v", again, err)
	}
	started, err := d.Submit(t.Context(), "default", "fails", client.Submission{Wait: time.Minute})
	if err != nil || started.BatchStatus != subjects.Failed || started.Agent == nil || started.Agent.Name == "a1" {
		t.Errorf("started by a user: %+v, %v", started, err)
	}
	a.end(t)
}
