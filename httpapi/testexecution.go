package httpapi

import (
	"context"
	"strconv"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	v1 "github.com/job-streamer/job-streamer-control-bus/httpapi/v1"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// testJob is the job that executions of tried diagrams belong to. It is not
// defined.
const testJob = "_test-execution_"

type postTestExecution struct{ Sent body[rest.TestExecution] }

func (s *Server) postTestExecution(ctx context.Context, in *postTestExecution) (*answer[rest.TestStarted], error) {
	j, err := readTestJob(&in.Sent.value)
	if err != nil {
		return nil, err
	}
	e, _, err := s.cfg.Executions.Submit(ctx, execution.Submission{App: bus.DefaultApp, Job: testJob, Definition: v1.RemoveWork(j)})
	if err != nil {
		return nil, err
	}
	noteExecution(ctx, e.ID)
	return &answer[rest.TestStarted]{rest.TestStarted{StateID: e.ID}}, nil
}

// readTestJob reads the job to test: of a diagram, or of job XML.
func readTestJob(sent *rest.TestExecution) (*jsl.Job, error) {
	switch {
	case sent.XML == "":
		return v1.ReadDiagram(sent.BPMN, "/bpmn")
	case sent.BPMN != "":
		var wrong codec.Faults
		wrong.Add("/xml", "either bpmn or xml", "both")
		return nil, wrong
	}
	return v1.ReadJobXML(sent.XML, "/xml")
}

// testPath is an execution of a tried diagram in a path.
type testPath struct {
	ID string `path:"id" doc:"Id of the test execution."`
}

func (s *Server) testExecution(ctx context.Context, in *testPath) (*bus.Execution, error) {
	return s.execution(ctx, ExecutionPath{JobPath{App: bus.DefaultApp, job: JobRef{Key: testJob}}, in.ID})
}

func (s *Server) getTestExecution(ctx context.Context, in *testPath) (*answer[rest.TestState], error) {
	e, err := s.testExecution(ctx, in)
	if err != nil {
		return nil, err
	}
	out := &answer[rest.TestState]{rest.TestState{BatchStatus: e.BatchStatus}}
	switch {
	case e.BatchStatus == subjects.Failed:
		out.Body.LogMessage, out.Body.LogException = "execution "+strconv.FormatInt(e.ID, 10)+" failed", e.Exception
	case e.BatchStatus == subjects.Undispatched && s.agentsOf(bus.DefaultApp) == 0:
		out.Body.LogMessage = "no agent serves the application " + bus.DefaultApp
	}
	return out, nil
}

// deleteTestExecution stops an execution that has not ended. The janitor
// deletes it later with other old executions.
func (s *Server) deleteTestExecution(ctx context.Context, in *testPath) (*struct{}, error) {
	e, err := s.testExecution(ctx, in)
	if err != nil {
		return nil, err
	}
	if !e.BatchStatus.Ended() {
		if _, err := s.cfg.Executions.Stop(ctx, e.App, e.Job, e.ID); err != nil && !bus.HasCode(err, bus.CodeNotRunning) {
			return nil, err
		}
	}
	err = s.cfg.Executions.DeleteExecution(ctx, bus.DefaultApp, testJob, e.ID)
	if bus.HasCode(err, bus.CodeIsRunning) {
		err = nil
	}
	return nil, err
}
