package agent

import (
	"context"
	"log/slog"
	"maps"
	"sync"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// JobContext describes a running job to its artifacts, and takes the job's exit
// status from them (10.9.1). Each flow of a split has a context of its own
// (9.4.1.1). It begins with the exit status and the transient data of the
// context around the split. When the flows have ended, the exit statuses that
// they have set count for the job, in the order of the document; their
// transient data is dropped.
type JobContext struct {
	App, Job      string
	ExecutionID   int64
	InstanceID    int64 // the id of the first execution in a chain of restarts
	Attempt       int
	Parameters    map[string]string // of the execution
	Properties    map[string]string // of the artifact
	JobProperties map[string]string
	Log           *slog.Logger // writes lines to the execution's output
	Secrets       *Secrets     // of the application; see [JobContext.Secret]

	*jobState
}

// jobState is what the artifacts of a job, or of a flow of a split, share.
type jobState struct {
	mu          sync.Mutex
	batchStatus subjects.BatchStatus
	exitStatus  string
	exitSet     bool
	transient   any
	exception   error
}

// NewJobContext creates the context of a job; only runtimes need it.
func NewJobContext() *JobContext {
	return &JobContext{jobState: &jobState{batchStatus: subjects.Started}, Log: slog.New(slog.DiscardHandler)}
}

// WithProperties returns the context of another artifact of the same job. It
// shares the exit status and the data of c, and has maps of its own.
func (c *JobContext) WithProperties(properties map[string]string) *JobContext {
	other := *c
	other.Properties = properties
	other.Parameters, other.JobProperties = maps.Clone(c.Parameters), maps.Clone(c.JobProperties)
	return &other
}

// Secret returns a secret of the application, as [StepContext.Secret] does.
func (c *JobContext) Secret(ctx context.Context, name string) (string, error) {
	return getSecret(ctx, c.Secrets, name)
}

// SetExitStatus sets the exit status of the job. The last call wins, over all
// artifacts, decisions and transitions. An empty text stands for the job's
// batch status (8.7).
func (c *JobContext) SetExitStatus(status string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.exitStatus, c.exitSet = status, true
}

// ExitStatus returns the exit status of the job, or an empty text as long as
// none is set.
func (c *JobContext) ExitStatus() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.exitStatus
}

// BatchStatus returns the batch status of the job. In AfterJob of a
// [JobListener] it is the one with which the job will end.
func (c *JobContext) BatchStatus() subjects.BatchStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.batchStatus
}

// Err returns why the job has failed, or nil. It is for AfterJob.
func (c *JobContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.exception
}

// SetTransientData keeps a value for other artifacts of this job, as long as it
// runs.
func (c *JobContext) SetTransientData(v any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.transient = v
}

// TransientData returns the value that SetTransientData was last called with.
func (c *JobContext) TransientData() any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.transient
}

// SetState sets the batch status of the job and why it has failed; only runtimes
// need it.
func (c *JobContext) SetState(s subjects.BatchStatus, why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.batchStatus, c.exception = s, why
}

// Fork returns the context of a flow of a split; only runtimes need it.
func (c *JobContext) Fork() *JobContext {
	c.mu.Lock()
	defer c.mu.Unlock()
	flow := *c
	flow.jobState = &jobState{batchStatus: c.batchStatus, exitStatus: c.exitStatus, transient: c.transient}
	return &flow
}

// Join adopts the exit status of a flow's context if the flow has set one; only
// runtimes need it.
func (c *JobContext) Join(flow *JobContext) {
	flow.mu.Lock()
	status, set := flow.exitStatus, flow.exitSet
	flow.mu.Unlock()
	if set {
		c.SetExitStatus(status)
	}
}
