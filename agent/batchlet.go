package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// BatchletFunc is the body of a step. It returns the step's exit status. An
// empty string stands for the status set by [StepContext.SetExitStatus], or
// COMPLETED if none was set. An error or a panic fails the step.
//
// When ctx ends the function should return soon; [context.Cause] returns the
// reason. The step is STOPPED then if the function returns no error, or one that
// wraps that of ctx or the reason. If it returns another error after a stop, the
// step is FAILED.
type BatchletFunc func(ctx context.Context, s *StepContext) (exitStatus string, err error)

// StepContext gives an artifact its parameters and properties, and takes the
// exit status and the data that the step leaves. The artifacts of a step share
// the exit status and the data. Each partition of a step has its own (9.4.1.1).
type StepContext struct {
	App, Job, Step string
	ExecutionID    int64
	Attempt        int
	Parameters     map[string]string // of the execution
	Properties     map[string]string // of the batchlet or other artifact
	StepProperties map[string]string
	JobProperties  map[string]string
	Values         map[string]string // that earlier steps of the job have set
	JobContext     *JobContext       // of the job, or of the flow of a split in which the step runs
	// Partition is the number of the partition, from 0, and Partitions is how
	// many there are. Partitions is 0 outside of partitions.
	Partition, Partitions int
	// Run is the same text in all executions of a chunk step that go on where the
	// one before ended, and another one in an execution that begins anew. A
	// writer whose target keeps a checkpoint stores it there.
	Run     string
	Log     *slog.Logger // writes lines to the execution's output
	Secrets *Secrets     // of the application; see [StepContext.Secret]

	*stepState
}

// stepState is what the artifacts of a step share.
type stepState struct {
	save       func(json.RawMessage) error
	mu         sync.Mutex
	exitStatus string
	data       json.RawMessage
	nextValues map[string]string // for later steps
	transient  any

	batchStatus subjects.BatchStatus
	exception   error
}

// NewStepContext creates the context of a step; only runtimes need it. data is
// what an earlier execution of the step saved. save stores the data of this
// one, and may be nil.
func NewStepContext(data json.RawMessage, save func(json.RawMessage) error) *StepContext {
	state := &stepState{data: data, save: save, batchStatus: subjects.Started}
	return &StepContext{stepState: state, Log: slog.New(slog.DiscardHandler)}
}

// WithProperties returns the context of another artifact of the same step. It
// shares the exit status and the data of s, and has maps of its own.
func (s *StepContext) WithProperties(properties map[string]string) *StepContext {
	c := *s
	c.Properties = properties
	c.Parameters, c.Values = maps.Clone(s.Parameters), maps.Clone(s.Values)
	c.StepProperties, c.JobProperties = maps.Clone(s.StepProperties), maps.Clone(s.JobProperties)
	if s.JobContext != nil {
		c.JobContext = s.JobContext.WithProperties(maps.Clone(s.JobContext.Properties))
	}
	return &c
}

// Secret returns a secret of the application. The agent asks the control bus
// for it, and keeps it until the attempt ends. It blocks for at most a minute,
// or until ctx ends. The error is for the step to fail with: it names the
// secret, and is a [MissingSecretsError] if the application does not have it.
//
// In what the agent publishes for the attempt, *** stands for the secret: lines
// of output, exit statuses, errors and values for later steps. Save and commits
// refuse data that holds it. The agent does not recognize a changed form of it,
// such as Base64, or a part of it.
func (s *StepContext) Secret(ctx context.Context, name string) (string, error) {
	return getSecret(ctx, s.Secrets, name)
}

// BatchStatus returns the batch status of the step. In AfterStep of a
// [StepListener] it is the one with which the step will end.
func (s *StepContext) BatchStatus() subjects.BatchStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.batchStatus
}

// Err returns why the step has failed, or nil. It is for AfterStep.
func (s *StepContext) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.exception
}

// SetState sets the batch status of the step and why it has failed; only
// runtimes need it.
func (s *StepContext) SetState(status subjects.BatchStatus, why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.batchStatus, s.exception = status, why
}

// SetTransientData keeps a value for other artifacts of this step, as long as
// it runs.
func (s *StepContext) SetTransientData(v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.transient = v
}

// TransientData returns the value that SetTransientData was last called with.
func (s *StepContext) TransientData() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.transient
}

// SetExitStatus sets the step's exit status. The last call wins. A status that
// the batchlet returns is set when it returns. An empty text stands for the
// step's batch status (8.7.1).
func (s *StepContext) SetExitStatus(status string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.exitStatus = status
}

// ExitStatus returns the exit status of the step, or an empty text as long as
// none is set.
func (s *StepContext) ExitStatus() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.exitStatus
}

// SetValue sets a value for the steps that begin after this one has ended. A
// shell step gets it as JOBSTREAMER_VALUE_<NAME>, a batchlet in
// [StepContext.Values]. All steps of a job together may set
// [subjects.MaxValues] bytes.
func (s *StepContext) SetValue(name, value string) error {
	switch {
	case !subjects.ValidValueName(name):
		return fmt.Errorf("value %.80q: want a name of up to 64 of a-z, 0-9 and _ with no digit at the beginning", name)
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		return fmt.Errorf("value %s: want UTF-8 without NUL characters", name)
	case len(name)+len(value) > subjects.MaxValues:
		return fmt.Errorf("value %s: want at most %d bytes, got %d", name, subjects.MaxValues, len(value))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.nextValues == nil {
		s.nextValues = map[string]string{}
	}
	s.nextValues[name] = value
	return nil
}

// NextValues returns the values set by SetValue; only runtimes need it.
func (s *StepContext) NextValues() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.nextValues)
}

// Load decodes into v the data that an earlier execution of this step saved in
// the same job instance. It reports whether there was any.
func (s *StepContext) Load(v any) (bool, error) {
	data := s.Data()
	if len(data) == 0 {
		return false, nil
	}
	if err := json.Unmarshal(data, v); err != nil {
		return true, fmt.Errorf("decode the persistent data: %w", err)
	}
	return true, nil
}

// Save stores v as JSON of at most 256 KiB before it returns. A restart of the
// job can load it, and so can the next attempt after the agent was lost. If
// Save returns an error, v was not stored; if the bus has given the attempt up,
// the batchlet's context has ended as well.
//
// In a chunk step, Save only keeps v. The next commit stores it together with
// the checkpoints.
func (s *StepContext) Save(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the persistent data: %w", err)
	}
	if n := len(data); n > subjects.MaxPersistentData {
		return fmt.Errorf("persistent data of %d bytes: want at most %d", n, subjects.MaxPersistentData)
	}
	s.mu.Lock()
	s.data = data
	s.mu.Unlock()
	if s.save == nil {
		return nil
	}
	return s.save(data)
}

// SetData sets the data without storing it; only runtimes need it.
func (s *StepContext) SetData(data json.RawMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = data
}

// Data returns the data that was loaded or saved last.
func (s *StepContext) Data() json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data
}
