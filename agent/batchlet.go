package agent

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
)

// BatchletFunc is the body of a step. Its first result is the step's exit
// status; empty means what [StepContext.SetExitStatus] said, and without that
// COMPLETED. With an error, or a panic, the step has failed. When ctx ends the
// step is to stop; the cause says why.
type BatchletFunc func(ctx context.Context, s *StepContext) (exitStatus string, err error)

// StepContext is what a batchlet gets to know, and where it leaves what the
// step's record shall have.
type StepContext struct {
	App, Job, Step string
	ExecutionID    int64
	Attempt        int
	Parameters     map[string]string // of the execution
	Properties     map[string]string // of the batchlet
	JobProperties  map[string]string
	Log            *slog.Logger // its lines are the execution's output

	save       func(json.RawMessage) error
	mu         sync.Mutex
	exitStatus string
	data       json.RawMessage
}

// NewStepContext is for runtimes: data is what an earlier execution of the step
// left, and save stores what this one leaves; it may be nil.
func NewStepContext(data json.RawMessage, save func(json.RawMessage) error) *StepContext {
	return &StepContext{data: data, save: save, Log: slog.New(slog.DiscardHandler)}
}

// SetExitStatus sets the step's exit status, unless the batchlet returns one.
func (s *StepContext) SetExitStatus(status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exitStatus = status
}

// ExitStatus is what SetExitStatus said last.
func (s *StepContext) ExitStatus() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.exitStatus
}

// Load reads into v what an earlier execution of the step in this job instance
// has saved. It says whether there was anything.
func (s *StepContext) Load(v any) (bool, error) {
	data := s.Data()
	if len(data) == 0 {
		return false, nil
	}
	return true, json.Unmarshal(data, v)
}

// Save stores v at once, as JSON of at most 256 KiB: a restart, or the next
// attempt after the agent was lost, loads it. Its error says that it was not
// stored; if the attempt was given up, so is the context.
func (s *StepContext) Save(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.data = data
	s.mu.Unlock()
	if s.save == nil {
		return nil
	}
	return s.save(data)
}

// Data is what was loaded or saved last.
func (s *StepContext) Data() json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data
}
