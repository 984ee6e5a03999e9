package httpapi

import (
	"context"
	"errors"
	"strconv"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/execution"
	"github.com/job-streamer/job-streamer-control-bus/bus/index"
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
	j, err := v1.ReadDiagram(in.Sent.value.BPMN, "/bpmn")
	if err != nil {
		return nil, err
	}
	e, _, err := s.cfg.Executions.Submit(ctx, execution.Submission{App: bus.DefaultApp, Job: testJob, Definition: v1.RemoveWork(j)})
	if err != nil {
		return nil, err
	}
	return &answer[rest.TestStarted]{rest.TestStarted{StateID: e.ID}}, nil
}

// testPath is an execution of a tried diagram in a path.
type testPath struct {
	ID string `path:"id"`
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

type convertXML struct{ Sent body[rest.Diagram] }

func (s *Server) convertXML(_ context.Context, in *convertXML) (*answer[rest.JobXML], error) {
	j, err := v1.ReadDiagram(in.Sent.value.JobBPMNXML, "/job_bpmn_xml")
	if err != nil {
		return nil, err
	}
	text, err := j.Format(jsl.XML)
	return &answer[rest.JobXML]{rest.JobXML{JobXML: string(text)}}, err
}

// addDiagrams adds the diagrams of jobs to their answers.
func (s *Server) addDiagrams(ctx context.Context, jobs []*index.Job, answers []rest.Job) error {
	return readConcurrently(ctx, len(jobs), func(ctx context.Context, i int) error {
		j := jobs[i]
		if j.Notation == nil {
			return nil
		}
		e, err := s.cfg.Catalog.StoredJob(ctx, j.App, j.PermanentKey)
		if errors.Is(err, bus.ErrNotFound) { // it was deleted just now
			return nil
		}
		addNotation(&answers[i], e.Value.Notation)
		return err
	})
}

func addNotation(v *rest.Job, n *bus.Notation) {
	if n != nil {
		v.BPMNXMLNotation, v.SVGNotation = n.BPMN, n.SVG
	}
}
