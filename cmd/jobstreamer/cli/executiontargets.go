package cli

import (
	"fmt"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// expandExecutions is expandNames for executions. An argument is the number of
// an execution or the name of a job. A job stands for its latest execution, or
// for all that have not ended if the change applies to running ones. A glob
// selects only executions to which the change applies.
func (inv *invocation) expandExecutions(args []string, done string, applies func(subjects.BatchStatus) bool) (targets, error) {
	running := applies(subjects.Started)
	named := targets{spelled: true}
	for _, arg := range args {
		before := len(named.all)
		t, err := inv.expandJobs([]string{arg})
		if err != nil {
			return named, err
		}
		for _, one := range t.all {
			found, err := inv.executionsOf(one, isGlob(arg), running, applies)
			if err != nil {
				return named, err
			}
			named.all = append(named.all, found...)
		}
		if isGlob(arg) && len(named.all) == before {
			return named, fmt.Errorf("%s matches %s, but no execution that can be %s; nothing was done", arg, countText(len(t.all), "job", "jobs"), done)
		}
		named.spelled = named.spelled && t.spelled
	}
	named.all = withoutRepeats(named.all)
	named.single = len(args) == 1 && named.spelled && len(named.all) == 1
	return named, nil
}

// executionsOf returns the executions that a number or the name of a job stands
// for.
func (inv *invocation) executionsOf(t target, glob, running bool, applies func(subjects.BatchStatus) bool) ([]target, error) {
	if id, err := parseExecutionID(t.name); err == nil && !glob {
		return []target{{name: t.name, id: id}}, nil
	}
	if !running {
		return inv.latestOf(t, glob, applies)
	}
	var found []target
	f := client.ExecutionFilter{App: inv.app, Of: t.name}
	for _, status := range subjects.BatchStatuses() {
		if applies(status) {
			f.Status = append(f.Status, status)
		}
	}
	err := inv.eachExecution(f, func(e *rest.ListedExecution) bool {
		found = append(found, executionTarget(&e.ExecutionSummary))
		return true
	})
	if client.Code(err) == "no_such_job" {
		_, _, err = inv.findExecution(t.name) // this error says that the name could be a number
	}
	if err != nil {
		return nil, err
	}
	if len(found) == 0 && !glob {
		return nil, fmt.Errorf("no execution of %s is running or waiting", t.name)
	}
	return found, nil
}

// latestOf returns the latest execution of a job. For a job that a glob
// matched, it returns none if the change does not apply to the execution.
func (inv *invocation) latestOf(t target, glob bool, applies func(subjects.BatchStatus) bool) ([]target, error) {
	j, _, err := inv.client.Job(inv.ctx, inv.app, t.name)
	switch {
	case client.Code(err) == "no_such_job":
		_, _, err = inv.findExecution(t.name) // this error says that the name could be a number
		return nil, err
	case err != nil:
		return nil, err
	case j.LatestExecution == nil && !glob:
		return nil, fmt.Errorf("the job %s has never run", t.name)
	case j.LatestExecution == nil || glob && !applies(j.LatestExecution.BatchStatus):
		return nil, nil
	}
	return []target{executionTarget(j.LatestExecution)}, nil
}

func executionTarget(e *rest.ExecutionSummary) target {
	return target{name: fmt.Sprint(e.ExecutionID), job: e.Job, id: e.ExecutionID}
}

// withoutRepeats removes repeated targets.
func withoutRepeats(all []target) (left []target) {
	seen := map[string]bool{}
	for _, t := range all {
		if !seen[t.name] {
			seen[t.name] = true
			left = append(left, t)
		}
	}
	return left
}
