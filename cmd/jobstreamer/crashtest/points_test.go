//go:build linux

package crashtest

import (
	"net/http"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// crash is one row: the process that dies, the moment of its death, and the
// expected end.
type crash struct {
	name  string
	short bool // also part of the short run

	dies  func(*world) (*daemon, *proxy) // anAgent or theBus
	at    point
	after bool    // the message was stored and its acknowledgement lost; otherwise the message was never sent
	lose  []point // messages that are lost before it

	job     string // job of the executions
	cold    bool   // no process runs when the proxy begins to wait for the moment
	alone   bool   // no agent runs until the crash
	prepare step   // runs before the proxy waits for the moment
	play    step   // leads to the moment; default: post one execution of the job
	patient bool   // clients retry until they get an answer; otherwise the bus must finish alone
	then    step   // runs after the restart

	want subjects.BatchStatus // of the first execution
	// Of the first execution; 0: any number; 2 or more: a minimum, because an
	// agent without CPU time counts as lost too.
	attempts int
	check    func(*world, *snapshot)
}

// step is a part of a row, for executions of one job.
type step func(w *world, job string)

func anAgent(w *world) (*daemon, *proxy) { return w.agent, w.agentProxy }
func theBus(w *world) (*daemon, *proxy)  { return w.bus, w.busProxy }

// Messages of an agent.
func agentResult(has ...string) point {
	return point{subject: "jobstreamer.result.*.*.*.a1", has: has}
}

func agentStatus(attempt int, s subjects.BatchStatus) point {
	return agentResult(resultText(attempt, s))
}

// resultText returns the part of a result's payload that contains the
// execution's status. The statuses of steps are in another part.
func resultText(attempt int, s subjects.BatchStatus) string {
	return `"attempt":` + strconv.Itoa(attempt) + `,"batch_status":"` + string(s) + `"`
}

func heartbeatOf(status string) point {
	return point{subject: "jobstreamer.heartbeat.a1", has: []string{`"status":"` + status + `"`}}
}

var (
	delivery   = point{in: true, subject: "jobstreamer.request.>"}
	claim      = agentResult(`"number":1,`)
	requestAck = point{subject: "$JS.ACK.JOBSTREAMER_REQUEST_default.>", has: []string{"+ACK"}}
	stepEvent  = agentResult(`"number":2,`, `"step_name":"one"`)
	secondStep = agentResult(`"step_name":"two","batch_status":"started"`, resultText(1, subjects.Started))
	anEnd      = agentStatus(1, subjects.Completed)
	command    = point{in: true, subject: "jobstreamer.command.a1.stop"}
)

// Messages of a bus.
func keyWrite(bucket, key string, has ...string) point {
	return point{subject: "$KV.jobstreamer_" + bucket + "." + key, has: has}
}

func recordWrite(has ...string) point { return keyWrite("executions", ">", has...) }

func recordStatus(job string, s subjects.BatchStatus) point {
	return recordWrite(`"job":"` + job + `","batch_status":"` + string(s) + `"`)
}

func busStatus(attempt int, s subjects.BatchStatus) point {
	return point{subject: "jobstreamer.result.*.*.*.bus", has: []string{resultText(attempt, s)}}
}

func requestWrite(attempt int, has ...string) point {
	return point{subject: "jobstreamer.request.>", has: append(has, `},"attempt":`+strconv.Itoa(attempt)+`,`)}
}

var (
	newRecord      = recordWrite()
	firstAsk       = requestWrite(1)
	idBlock        = keyWrite("counters", "execution")
	idempotencyKey = keyWrite("idempotency", "*")
	claimDelivery  = point{in: true, subject: "jobstreamer.result.>", reply: "$JS.ACK.JOBSTREAMER_RESULTS.projector."}
	endDelivery    = point{in: true, subject: "jobstreamer.result.>", reply: "$JS.ACK.JOBSTREAMER_RESULTS.projector.", has: []string{resultText(1, subjects.Completed)}}
	stopRequest    = recordWrite(`"wish":"stop"`)
	stopCommand    = point{subject: "jobstreamer.command.a1.stop"}
	restartNoted   = recordWrite(`"restarted_by":`)
	restartRecord  = recordWrite(`"restart_of":`)
	lock           = point{subject: "$KV.jobstreamer_locks.>", hasNot: "KV-Operation"}
	unlock         = keyWrite("locks", ">", "KV-Operation: PURGE")
	deletionMark   = recordWrite(`"delete_time":`)
	jobDeletion    = keyWrite("jobs", ">", "KV-Operation: DEL")
)

// agentCrashes are crashes of agents. The rows that end with an unacknowledged
// request wait 30 s for its redelivery, so they come first.
var agentCrashes = []crash{
	{name: "request delivered", at: delivery, job: line, want: subjects.Completed, attempts: 1},
	{name: "claim not stored", at: claim, job: line, want: subjects.Completed, attempts: 1},
	{name: "claim stored and its ack lost", at: claim, after: true, job: line, want: subjects.Failed},
	{name: "claim stored and its ack lost, to be requeued", at: claim, after: true, job: lineElse, want: subjects.Completed, attempts: 2},
	{name: "claim of an exclusive job stored and its ack lost", at: claim, after: true, job: single, want: subjects.Failed, then: runAnother},
	{name: "ack of the request not sent", at: requestAck, job: line, want: subjects.Failed},
	{name: "ack of the request not sent, to be requeued", at: requestAck, job: lineElse, want: subjects.Completed, attempts: 2},

	{name: "step event not stored", at: stepEvent, job: long, want: subjects.Failed},
	{name: "body running", at: stepEvent, after: true, job: long, want: subjects.Failed, short: true},
	{name: "body running, to be requeued", at: stepEvent, after: true, job: longElse, want: subjects.Completed, attempts: 2, short: true},
	{name: "body of an exclusive job running", at: stepEvent, after: true, job: slowOne, want: subjects.Failed},
	{name: "change to the second step not stored", at: secondStep, job: two, want: subjects.Failed},
	{name: "change to the second step not stored, to be requeued", at: secondStep, job: twoElse, want: subjects.Completed, attempts: 2},
	{name: "change to the second step stored, to be requeued", at: secondStep, after: true, job: twoElse, want: subjects.Completed, attempts: 2, check: onlyOnce("one")},
	{name: "end not stored", at: anEnd, job: line, want: subjects.Failed, short: true},
	{name: "end not stored, to be requeued", at: anEnd, job: lineElse, want: subjects.Completed, attempts: 2, short: true},
	{name: "end stored and its ack lost", at: anEnd, after: true, job: line, want: subjects.Completed, short: true},
	{name: "end stored and its ack lost, to be requeued", at: anEnd, after: true, job: lineElse, want: subjects.Completed, attempts: 1},
	{name: "end kept for later", at: anEnd, lose: []point{anEnd, anEnd}, job: line, want: subjects.Completed, attempts: 1},
	{name: "end of the second attempt not stored", at: agentStatus(2, subjects.Completed), job: longElse, prepare: requeueOne, play: agentBack,
		want: subjects.Completed, attempts: 3},
	{name: "stop command delivered", at: command, job: long, prepare: runOne, play: stopFirst, want: subjects.Stopped},
	{name: "stopped not stored", at: agentStatus(1, subjects.Stopped), job: long, prepare: runOne, play: stopFirst, want: subjects.Stopped, short: true},
	{name: "stopped stored and its ack lost", at: agentStatus(1, subjects.Stopped), after: true, job: long, prepare: runOne, play: stopFirst, want: subjects.Stopped},
	{name: "leaving announced", at: heartbeatOf(subjects.AgentLeaving), after: true, job: long, prepare: runOne, play: endAgent, want: subjects.Failed, short: true},
	{name: "leaving announced, to be requeued", at: heartbeatOf(subjects.AgentLeaving), after: true, job: longElse, prepare: runOne, play: endAgent, want: subjects.Completed, attempts: 2},
	{name: "end of an execution stopped at leaving not stored", at: agentStatus(1, subjects.Stopped), job: long, prepare: runOne, play: endAgent, want: subjects.Failed},
	{name: "end of an execution stopped at leaving stored", at: agentStatus(1, subjects.Stopped), after: true, job: long, prepare: runOne, play: endAgent, want: subjects.Stopped},
	{name: "gone not announced", at: heartbeatOf(subjects.AgentGone), job: longElse, prepare: runOne, play: endAgent, want: subjects.Completed, attempts: 2},
}

// busCrashes are crashes of buses. A client that is not patient sends each
// request only once.
var busCrashes = []crash{
	{name: "stream not made at the first start", at: point{subject: "$JS.API.STREAM.CREATE.>", nth: 7}, cold: true, job: line, play: firstStart, patient: true, want: subjects.Completed},
	{name: "queue of the application not made", at: point{subject: "$JS.API.STREAM.CREATE.JOBSTREAMER_REQUEST_default"}, alone: true, job: line, patient: true, want: subjects.Completed},
	{name: "queue of the application made, a consumer not", at: point{subject: "$JS.API.CONSUMER.>", has: []string{"default=normal"}}, alone: true, job: line, patient: true, want: subjects.Completed},

	{name: "ids not reserved", at: idBlock, job: line, patient: true, want: subjects.Completed, check: onlyOneRecord},
	{name: "ids reserved", at: idBlock, after: true, job: line, patient: true, want: subjects.Completed, check: onlyOneRecord, short: true},
	{name: "Idempotency-Key not written", at: idempotencyKey, job: line, patient: true, want: subjects.Completed, check: onlyOneRecord},
	{name: "Idempotency-Key written, record not", at: idempotencyKey, after: true, job: line, patient: true, want: subjects.Completed, check: onlyOneRecord, short: true},
	{name: "record not written", at: newRecord, job: line, patient: true, want: subjects.Completed, check: onlyOneRecord},
	{name: "record written, request not", at: newRecord, after: true, job: line, want: subjects.Completed, check: onlyOneRecord, short: true},
	{name: "record written, request not, retried", at: newRecord, after: true, job: line, patient: true, want: subjects.Completed, check: onlyOneRecord},
	{name: "request written, record lost", at: firstAsk, after: true, lose: []point{newRecord}, job: line, want: subjects.Completed, check: onlyOneRecord, short: true},
	{name: "request written, record lost, retried", at: firstAsk, after: true, lose: []point{newRecord}, job: line, patient: true, want: subjects.Completed, check: onlyOneRecord},
	{name: "request written, record lost, no agent", at: firstAsk, after: true, lose: []point{newRecord}, alone: true, job: line, patient: true, want: subjects.Completed, check: onlyOneRecord},
	{name: "both written, not answered", at: firstAsk, after: true, job: line, want: subjects.Completed, check: onlyOneRecord, short: true},
	{name: "both written, retried", at: firstAsk, after: true, job: line, patient: true, want: subjects.Completed, check: onlyOneRecord},

	{name: "claim delivered, not folded", at: claimDelivery, job: line, patient: true, want: subjects.Completed, short: true},
	{name: "end delivered, not folded", at: endDelivery, job: line, patient: true, want: subjects.Completed, short: true},
	{name: "start not folded", at: recordStatus(while, subjects.Started), job: while, patient: true, want: subjects.Completed},
	{name: "start folded, result not acknowledged", at: recordStatus(while, subjects.Started), after: true, job: while, patient: true, want: subjects.Completed},
	{name: "end not folded", at: recordStatus(line, subjects.Completed), job: line, patient: true, want: subjects.Completed, short: true},
	{name: "end folded, result not acknowledged", at: recordStatus(line, subjects.Completed), after: true, job: line, patient: true, want: subjects.Completed},
	{name: "end folded without a claim", at: recordStatus(long, subjects.Stopped), after: true, alone: true, job: long, prepare: postOne, play: stopFirst, want: subjects.Stopped},

	{name: "stop request not written", at: stopRequest, job: long, prepare: runOne, play: stopFirst, patient: true, want: subjects.Stopped},
	{name: "stop request written, command not sent", at: stopRequest, after: true, job: long, prepare: runOne, play: stopFirst, want: subjects.Stopped, short: true},
	{name: "stop request written, command not sent, claim not folded", at: stopRequest, after: true, lose: []point{recordStatus(long, subjects.Started)}, job: long, play: beginAndStop, want: subjects.Stopped},
	{name: "stop command not sent", at: stopCommand, job: long, prepare: runOne, play: stopFirst, want: subjects.Stopped},
	{name: "stop command sent, not answered", at: stopCommand, after: true, job: long, prepare: runOne, play: stopFirst, want: subjects.Stopped},
	{name: "stop request for a waiting execution written", at: stopRequest, after: true, alone: true, job: long, prepare: postOne, play: stopFirst, want: subjects.Stopped, short: true},
	{name: "stop of a waiting execution not written", at: busStatus(0, subjects.Stopped), alone: true, job: long, prepare: postOne, play: stopFirst, want: subjects.Stopped},
	{name: "stop of a waiting execution written", at: busStatus(0, subjects.Stopped), after: true, alone: true, job: long, prepare: postOne, play: stopFirst, want: subjects.Stopped, check: noEvidence, short: true},
	{name: "stop of a lost agent's execution not written", at: busStatus(1, subjects.Stopped), job: long, prepare: loseAgent, play: stopFirst, patient: true, want: subjects.Stopped},
	{name: "stop of a lost agent's execution written", at: busStatus(1, subjects.Stopped), after: true, job: longElse, prepare: loseAgent, play: stopFirst, patient: true, want: subjects.Stopped, attempts: 1},
	{name: "abandoned not written", at: busStatus(0, subjects.Abandoned), alone: true, job: long, prepare: postOne, play: abandonFirst, patient: true, want: subjects.Abandoned, check: noEvidence},
	{name: "abandoned written", at: busStatus(0, subjects.Abandoned), after: true, alone: true, job: long, prepare: postOne, play: abandonFirst, want: subjects.Abandoned, check: noEvidence},

	{name: "restart not noted", at: restartNoted, job: code, prepare: failOne, play: restartFirst, patient: true, want: subjects.Failed, check: oneRestartCompleted},
	{name: "restart noted, record not written", at: restartNoted, after: true, job: code, prepare: failOne, play: restartFirst, want: subjects.Failed, check: oneRestartCompleted, short: true},
	{name: "restart noted, record not written, retried", at: restartNoted, after: true, job: code, prepare: failOne, play: restartFirst, patient: true, want: subjects.Failed, check: oneRestartCompleted},
	{name: "record of the restart written, request not", at: restartRecord, after: true, job: code, prepare: failOne, play: restartFirst, want: subjects.Failed, check: oneRestartCompleted},
	{name: "request of the restart written, record lost", at: requestWrite(1, `"restart_of":`), after: true, lose: []point{restartRecord}, job: code, prepare: failOne, play: restartFirst, want: subjects.Failed, check: oneRestartCompleted},
	{name: "request of the restart written", at: requestWrite(1, `"restart_of":`), after: true, job: code, prepare: failOne, play: restartFirst, patient: true, want: subjects.Failed, check: oneRestartCompleted},

	{name: "record of an exclusive job written, lock not", at: newRecord, after: true, job: single, want: subjects.Completed, then: runAnother, short: true},
	{name: "lock not written", at: lock, job: single, patient: true, want: subjects.Completed, then: runAnother},
	{name: "lock written, request not", at: lock, after: true, job: single, want: subjects.Completed, then: runAnother, short: true},
	{name: "lock written, request not, retried", at: lock, after: true, job: single, patient: true, want: subjects.Completed, then: runAnother},
	{name: "request of an exclusive job written", at: firstAsk, after: true, job: single, patient: true, want: subjects.Completed, then: runAnother},
	{name: "lock not deleted", at: unlock, job: single, patient: true, want: subjects.Completed, then: runAnother, short: true},
	{name: "lock deleted", at: unlock, after: true, job: single, patient: true, want: subjects.Completed, then: runAnother},

	{name: "failed of a lost agent not written", at: busStatus(1, subjects.Failed), job: long, prepare: loseAgent, play: doNothing, want: subjects.Failed},
	{name: "failed of a lost agent written", at: busStatus(1, subjects.Failed), after: true, job: long, prepare: loseAgent, play: doNothing, want: subjects.Failed, short: true},
	{name: "unknown not written", at: busStatus(1, subjects.Unknown), job: longElse, prepare: loseAgent, play: doNothing, want: subjects.Completed, attempts: 2},
	{name: "unknown written, next request not", at: busStatus(1, subjects.Unknown), after: true, job: longElse, prepare: loseAgent, play: doNothing, want: subjects.Completed, attempts: 2, short: true},
	{name: "next request not written", at: requestWrite(2), job: longElse, prepare: loseAgent, play: doNothing, want: subjects.Completed, attempts: 2},
	{name: "next request written", at: requestWrite(2), after: true, job: longElse, prepare: loseAgent, play: doNothing, want: subjects.Completed, attempts: 2, short: true},

	{name: "job deleted, history not marked", at: jobDeletion, after: true, job: line, prepare: makeHistory, play: deleteJob, then: deleteHistory, patient: true, want: subjects.Completed, check: allDeleted},
	{name: "history of a job half marked", at: point{subject: deletionMark.subject, has: deletionMark.has, nth: 2}, after: true, job: line, prepare: makeHistory, play: deleteJob, then: deleteHistory, patient: true, want: subjects.Completed, check: allDeleted},
}

func TestCrashPoints(t *testing.T) {
	t.Parallel()
	crashAll(t, "agent", agentCrashes, anAgent)
	crashAll(t, "bus", busCrashes, theBus)
}

// No process dies. A bus that has listened long enough to detect a lost agent
// must also wait for the first heartbeat that names an attempt.
func TestHealthyAgentIsNotLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.patient = true
	w.agent.args = append(w.agent.args, "--heartbeat", "2s")
	w.bus.startAndWait(t)
	w.defineJobs(slow)
	w.agent.startAndWait(t)
	time.Sleep(silence)
	for range 6 {
		w.postJob(slow, nil)
		time.Sleep(370 * time.Millisecond) // at several phases of heartbeats and of the bus's checks
	}
	for id, r := range w.waitAllEnded(patience).records {
		if r.BatchStatus != subjects.Completed {
			t.Errorf("execution %d ended as %s (%s), want completed", id, r.BatchStatus, r.Exception)
		}
	}
}

func crashAll(t *testing.T, who string, rows []crash, dies func(*world) (*daemon, *proxy)) {
	for _, c := range rows {
		if testing.Short() && !c.short {
			continue
		}
		c.dies = dies
		t.Run(who+" "+c.name, func(t *testing.T) {
			t.Parallel()
			c.runRow(newWorld(t))
		})
	}
}

// runRow runs a row.
func (c *crash) runRow(w *world) {
	victim, between := c.dies(w)
	w.patient = true
	if !c.cold {
		w.bus.startAndWait(w.T)
		w.defineJobs(c.job)
	}
	if !c.cold && !c.alone {
		w.agent.startAndWait(w.T)
	}
	if c.prepare != nil {
		c.prepare(w, c.job)
	}
	w.patient = c.patient
	fired := between.armPlan(plan{c.at, c.after, c.lose})
	played := make(chan struct{})
	go func() {
		defer close(played)
		if c.play == nil {
			w.postJob(c.job, nil)
		} else {
			c.play(w, c.job)
		}
	}()
	select {
	case <-fired:
	case <-time.After(patience):
		w.logSnapshotNow()
		w.Fatal("the moment never came")
	}
	victim.startAndWait(w.T)
	if w.agent.isDown() {
		w.agent.startAndWait(w.T)
	}
	<-played
	w.patient = true
	if c.then != nil {
		c.then(w, c.job)
	}
	c.checkFirst(w, w.waitAllEnded(patience))
}

// checkFirst checks the execution that the row is about.
func (c *crash) checkFirst(w *world, now *snapshot) {
	first := now.firstExecution()
	r := now.records[first]
	if r.BatchStatus != c.want {
		w.Errorf("execution %d ended as %q (%s), want %s", first, r.BatchStatus, r.Exception, c.want)
	}
	if r.Attempt < c.attempts || c.attempts == 1 && r.Attempt > 1 {
		w.Errorf("execution %d had %d attempts, want %d", first, r.Attempt, c.attempts)
	}
	if c.check != nil {
		c.check(w, now)
	}
	if w.Failed() {
		w.logSnapshot(now)
	}
}

// The steps of rows. They work on the first execution.

func doNothing(*world, string) {}

func firstStart(w *world, job string) {
	w.bus.startAndWait(w.T)
	w.defineJobs(job)
	w.postJob(job, nil)
}

func postOne(w *world, job string) { w.postJob(job, nil) }

// runOne starts an execution and waits until it runs.
func runOne(w *world, job string) { w.waitForEvidence(w.postJob(job, nil)) }

// loseAgent starts an execution and kills its agent.
func loseAgent(w *world, job string) {
	runOne(w, job)
	w.agent.killAndWait()
}

// requeueOne starts an execution whose second attempt waits for an agent.
func requeueOne(w *world, job string) {
	loseAgent(w, job)
	w.waitForSnapshot("the request of attempt 2", func(now *snapshot) bool { return now.queued > 0 })
}

func agentBack(w *world, _ string) { w.agent.startAndWait(w.T) }

func stopFirst(w *world, job string) {
	// The test checks the effect.
	_ = w.sendRequest(http.MethodPut, executionPath(job, w.firstPosted())+"/stop", "", nil, nil)
}

func beginAndStop(w *world, job string) {
	runOne(w, job)
	stopFirst(w, job)
}

func abandonFirst(w *world, job string) {
	_ = w.sendRequest(http.MethodPut, executionPath(job, w.firstPosted())+"/abandon", "", nil, nil)
}

// endAgent makes the agent end by a signal.
func endAgent(w *world, _ string) { w.agent.sendSignal(syscall.SIGTERM) }

// failOne starts an execution that fails. restartFirst restarts it.
func failOne(w *world, job string) { w.waitForEnd(w.postJob(job, nil)) }

func restartFirst(w *world, job string) {
	w.restartExecution(job, w.firstPosted(), map[string]string{"code": "0"})
}

// runAnother starts another execution of an exclusive job as soon as the job is
// unlocked.
func runAnother(w *world, job string) {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		id := w.tryPost(job)
		if id != 0 {
			return
		}
	}
	w.Errorf("after %v the job %s is still locked", patience, job)
}

func makeHistory(w *world, job string) {
	for range 3 {
		w.waitForEnd(w.postJob(job, nil))
	}
}

func deleteJob(w *world, job string) {
	_ = w.sendRequest(http.MethodDelete, jobPath(job), "", nil, nil)
}

func deleteHistory(w *world, job string) {
	_ = w.sendRequest(http.MethodDelete, jobPath(job)+"/executions", "", nil, nil)
}

func onlyOneRecord(w *world, now *snapshot) {
	if len(now.records) != 1 {
		w.Errorf("there are %d executions, want one", len(now.records))
	}
}

func noEvidence(w *world, now *snapshot) {
	if len(now.evidence) > 0 {
		w.Errorf("it ran all the same")
	}
}

func onlyOnce(step string) func(*world, *snapshot) {
	return func(w *world, now *snapshot) {
		n := 0
		for _, tr := range now.evidence[now.firstExecution()] {
			if tr.step == step {
				n++
			}
		}
		if n != 1 {
			w.Errorf("the step %s ran %d times, want once", step, n)
		}
	}
}

// oneRestartCompleted checks that there is one restart and that it has
// completed.
func oneRestartCompleted(w *world, now *snapshot) {
	n := 0
	for _, r := range now.records {
		if r.RestartOf == 0 {
			continue
		}
		n++
		if r.BatchStatus != subjects.Completed {
			w.Errorf("the restart %d ended as %s (%s), want completed", r.ID, r.BatchStatus, r.Exception)
		}
	}
	if n != 1 {
		w.Errorf("there are %d restarts, want one", n)
	}
}

func allDeleted(w *world, now *snapshot) {
	for id, r := range now.records {
		if r.DeleteTime.IsZero() {
			w.Errorf("execution %d is still in the list", id)
		}
	}
}
