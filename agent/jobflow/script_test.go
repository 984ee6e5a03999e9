package jobflow_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/job-streamer/job-streamer-control-bus/agent/jobflow"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// script says how each step and each decision ends: a list for each id, one
// entry for each time that it runs; the last entry counts on. Entries are
//
//	X      completed with the exit status X; of a decision: its answer X
//	!      an error, the step is FAILED
//	!X     an error, after the exit status X was set
//	panic  a panic
//	^X     a stop is requested meanwhile, and it ends like X all the same
//	~      a stop is requested meanwhile, and the step is STOPPED
//	~X     the same with the exit status X
//	wait   the step waits until a stop is requested, and is STOPPED
//	@b:X   it ends like X, but not before the step b has begun
//	data:X an error; the exit status is the data that the execution before has
//	       saved, and it saves X
//	job:X  the step sets the exit status X of the job
//	-      of a decision: no answer
//
// An id without entries is completed without an exit status.
type script struct {
	mu     sync.Mutex
	ends   map[string][]string
	calls  map[string]int
	begun  map[string]chan struct{}
	stop   context.CancelFunc
	ids    []int64
	states []subjects.StepState // as a control bus keeps them
	sent   []subjects.StepExecution
}

func newScript(ends map[string][]string) *script {
	return &script{ends: ends, calls: map[string]int{}, begun: map[string]chan struct{}{}}
}

// readScript reads a script of the form "a=X b=!,OK".
func readScript(t *testing.T, text string) *script {
	t.Helper()
	s := newScript(map[string][]string{})
	for word := range strings.FieldsSeq(text) {
		id, ends, ok := strings.Cut(word, "=")
		if !ok {
			t.Fatalf("script %q: want id=end,end", word)
		}
		s.ends[id] = strings.Split(ends, ",")
	}
	return s
}

func (s *script) nextEnd(id string) (end string, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.calls[id]
	s.calls[id]++
	ends := s.ends[id]
	if len(ends) == 0 {
		return "", n == 0
	}
	return ends[min(n, len(ends)-1)], n == 0
}

// hasBegun returns a channel that is closed when the step begins.
func (s *script) hasBegun(step string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.begun[step] == nil {
		s.begun[step] = make(chan struct{})
	}
	return s.begun[step]
}

// actor is a runner that ends steps by the script and keeps a trace:
//
//	a  a=X  -a     a step that ran, with its exit status unless it is its batch
//	               status; a! has failed, a~ was stopped; -a was skipped
//	d(a=X b)       a decision with the step executions that it got
//	{a b|c}        the flows of a split
type actor struct {
	*script
	trace   []string
	exit    string
	exitSet bool
}

func (a *actor) add(format string, args ...any) {
	a.trace = append(a.trace, fmt.Sprintf(format, args...))
}

func (a *actor) StepStarted(x subjects.StepExecution) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ids = append(a.ids, x.ID)
	if a.ends[x.Step] != nil && a.ends[x.Step][0] == "lost" {
		return errors.New("the attempt is over")
	}
	return nil
}

func (a *actor) RunStep(ctx context.Context, s *jsl.Step, x *subjects.StepExecution) {
	end, first := a.nextEnd(s.ID)
	if first {
		close(a.hasBegun(s.ID))
	}
	for strings.HasPrefix(end, "@") {
		other, then, _ := strings.Cut(end[1:], ":")
		<-a.hasBegun(other)
		end = then
	}
	if rest, ok := strings.CutPrefix(end, "^"); ok {
		a.stop()
		end = rest
	}
	x.BatchStatus = subjects.Completed
	switch {
	case end == "panic":
		panic("oh dear")
	case end == "nothing":
		x.BatchStatus = subjects.Started
	case strings.HasPrefix(end, "!"):
		x.BatchStatus, x.ExitStatus, x.Exception = subjects.Failed, end[1:], "no good"
	case end == "wait":
		<-ctx.Done()
		x.BatchStatus = subjects.Stopped
	case strings.HasPrefix(end, "~"):
		a.stop()
		<-ctx.Done()
		x.BatchStatus, x.ExitStatus = subjects.Stopped, end[1:]
	case strings.HasPrefix(end, "job:"):
		a.SetExitStatus(end[4:])
	case strings.HasPrefix(end, "data:"):
		x.BatchStatus, x.ExitStatus, x.Exception = subjects.Failed, string(x.PersistentData), "no good"
		x.PersistentData = []byte(`"` + end[5:] + `"`)
	default:
		x.ExitStatus = end
	}
}

func (a *actor) StepEnded(x subjects.StepExecution) {
	a.add("%s", traceStep(x))
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent = append(a.sent, x)
}

func traceStep(x subjects.StepExecution) string {
	mark := map[subjects.BatchStatus]string{subjects.Failed: "!", subjects.Stopped: "~"}[x.BatchStatus]
	if x.ExitStatus == strings.ToUpper(string(x.BatchStatus)) {
		return x.Step + mark
	}
	return x.Step + mark + "=" + x.ExitStatus
}

func (a *actor) StepSkipped(x subjects.StepExecution) { a.add("-%s", traceStep(x)) }

func (a *actor) Decide(ctx context.Context, d *jsl.Decision, last []subjects.StepExecution) (string, error) {
	var got []string
	for _, x := range last {
		got = append(got, traceStep(x))
	}
	a.add("%s(%s)", d.ID, strings.Join(got, " "))
	end, _ := a.nextEnd(d.ID)
	if rest, ok := strings.CutPrefix(end, "^"); ok {
		a.stop()
		end = rest
	}
	switch {
	case end == "panic":
		panic("oh dear")
	case end == "-":
		return "", nil
	case strings.HasPrefix(end, "!"):
		return "", errors.New("no good")
	case end == "~":
		a.stop()
		<-ctx.Done()
		return "", fmt.Errorf("interrupted: %w", ctx.Err())
	}
	return end, nil
}

func (a *actor) SetExitStatus(status string) { a.exit, a.exitSet = status, true }

func (a *actor) Fork() jobflow.Runner { return &actor{script: a.script, exit: a.exit} }

func (a *actor) Join(flows []jobflow.Runner) {
	var traces []string
	for _, f := range flows {
		f := f.(*actor)
		traces = append(traces, strings.Join(f.trace, " "))
		if f.exitSet {
			a.SetExitStatus(f.exit)
		}
	}
	a.add("{%s}", strings.Join(traces, "|"))
}

// run runs the job once and returns its trace and how it ended:
//
//	a b => COMPLETED
//	a b! => FAILED/BAD
//	a => STOPPED @c
func (s *script) run(t *testing.T, job *jsl.Job, position string) (result string, o jobflow.Outcome) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.stop, s.sent = cancel, nil
	a := &actor{script: s}
	o = jobflow.Run(ctx, job, jobflow.Start{Steps: s.states, Position: position}, a)
	s.states = nextStates(s.states, s.sent)
	status := strings.ToUpper(string(o.BatchStatus))
	if a.exit != "" && a.exit != status {
		status += "/" + a.exit
	}
	if o.RestartPosition != "" {
		status += " @" + o.RestartPosition
	}
	return strings.TrimSpace(strings.Join(a.trace, " ") + " => " + status), o
}

// nextStates returns what a restart gets: the newest execution of each step, and
// how often it has started.
func nextStates(before []subjects.StepState, sent []subjects.StepExecution) []subjects.StepState {
	all := slices.Clone(before)
	for _, x := range sent {
		i := slices.IndexFunc(all, func(b subjects.StepState) bool { return b.Step == x.Step })
		if i < 0 {
			i = len(all)
			all = append(all, subjects.StepState{Step: x.Step})
		}
		all[i] = subjects.StepState{
			Step: x.Step, BatchStatus: x.BatchStatus, ExitStatus: x.ExitStatus,
			Starts: all[i].Starts + 1, StepData: x.StepData,
		}
	}
	return all
}
