package agenttest

import (
	"os/exec"
	"slices"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// RunThroughCrashes runs a job on one agent after another, each in a process of
// its own, until an agent completes the job. start returns the program of the
// next agent, which may kill itself. It returns how many agents have died.
func (r *Room) RunThroughCrashes(definition string, start func(died int) *exec.Cmd) (died int) {
	r.t.Helper()
	var states []subjects.StepState
	var instance int64
	for ; died < 200; died++ {
		q := r.Request(definition)
		if instance == 0 {
			instance = q.Execution.ID
		}
		q.Execution.InstanceID = instance
		q.Steps = states
		id := r.Submit(q)
		cmd := start(died)
		cmd.Stderr = r.t.Output()
		if err := cmd.Start(); err != nil {
			r.t.Fatal(err)
		}
		gone := make(chan struct{})
		go func() { _ = cmd.Wait(); close(gone) }()
		end := r.awaitEndOrDeath(id, gone)
		_ = cmd.Process.Kill()
		<-gone
		if end != nil {
			if end.BatchStatus != subjects.Completed {
				r.t.Errorf("the job is %s: %s", end.BatchStatus, end.Exception)
			}
			return died
		}
		states = StatesAfter(states, r.Results(id))
		for i := range states {
			if !states[i].BatchStatus.Ended() {
				states[i].BatchStatus = subjects.Failed // as the bus does for a lost agent
			}
		}
	}
	r.t.Fatal("the job does not end")
	return died
}

// awaitEndOrDeath returns the terminal result of an execution, or nil if the
// agent died before.
func (r *Room) awaitEndOrDeath(id int64, gone chan struct{}) *subjects.Result {
	r.t.Helper()
	for deadline := time.After(time.Minute); ; {
		if all := r.Results(id); len(all) > 0 && all[len(all)-1].BatchStatus.Ended() {
			return &all[len(all)-1]
		}
		select {
		case <-gone:
			return nil
		case <-deadline:
			r.t.Fatalf("execution %d does not end", id)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// StatesAfter returns what the bus gives to a restart after these results: it
// adds them to what earlier executions have left. The merge of the bus itself is
// tested there.
func StatesAfter(all []subjects.StepState, results []subjects.Result) []subjects.StepState {
	begun, overridden := map[string]bool{}, map[string]bool{}
	for _, r := range results {
		for _, s := range r.Steps {
			i := slices.IndexFunc(all, func(o subjects.StepState) bool { return o.Step == s.Step })
			if i < 0 {
				i, all = len(all), append(all, subjects.StepState{Step: s.Step, Starts: 1})
			}
			was := &all[i]
			anew := !begun[s.Step] && (was.BatchStatus == subjects.Completed || was.PartitionCount != s.PartitionCount)
			if anew || s.PartitionsOverride && !overridden[s.Step] {
				was.Partitions = nil
			}
			begun[s.Step], overridden[s.Step] = true, s.PartitionsOverride
			mergeData(&all[i].StepData, &s.StepData)
			all[i].BatchStatus, all[i].ExitStatus, all[i].PartitionCount = s.BatchStatus, s.ExitStatus, s.PartitionCount
			all[i].Run = s.Run
			for _, p := range s.Partitions {
				j := slices.IndexFunc(all[i].Partitions, func(o subjects.Partition) bool { return o.Number == p.Number })
				if j < 0 {
					j, all[i].Partitions = len(all[i].Partitions), append(all[i].Partitions, subjects.Partition{})
				}
				data := all[i].Partitions[j].StepData
				mergeData(&data, &p.StepData)
				all[i].Partitions[j] = p
				all[i].Partitions[j].StepData = data
			}
		}
	}
	return all
}

func mergeData(to, from *subjects.StepData) {
	for _, f := range []struct{ to, from *[]byte }{
		{(*[]byte)(&to.PersistentData), (*[]byte)(&from.PersistentData)},
		{(*[]byte)(&to.ReaderCheckpoint), (*[]byte)(&from.ReaderCheckpoint)},
		{(*[]byte)(&to.WriterCheckpoint), (*[]byte)(&from.WriterCheckpoint)},
	} {
		switch {
		case string(*f.from) == "null":
			*f.to = nil
		case len(*f.from) > 0:
			*f.to = *f.from
		}
	}
}
