package jsl

// The values of the attributes of a [Job] that JSR-352 does not have.
const (
	DefaultPool        = "default"
	DefaultMaxAttempts = 3

	DefaultBackoff    = "30s"
	DefaultMaxBackoff = "1h"

	DefaultTimeoutGrace = "30s"

	PriorityHigh   = "high"
	PriorityNormal = "normal" // the default
	PriorityLow    = "low"

	JavaEE    = "javaee"    // the default: JSL 1.0 (JSR-352), http://xmlns.jcp.org/xml/ns/javaee
	JakartaEE = "jakartaee" // JSL 2.0 (Jakarta Batch), https://jakarta.ee/xml/ns/jakartaee

	LostFailed  = "failed"  // the default: an execution whose agent is lost fails and may be restarted
	LostRequeue = "requeue" // the execution is requested again: its

	LogComplete = "complete" // the default: a job that writes faster than its lines can be stored waits
	LogLossy    = "lossy"    // the job goes on, and lines
)

// Job is a job definition.
type Job struct {
	ID          string // see [ValidID]
	Restartable Bool   // default true
	Properties  Properties
	Listeners   []Artifact
	Elements    []Element // "steps" in JSON; the first one starts

	// How the job is dispatched. JSR-352 does not have these attributes, and
	// nothing is substituted in them. Reading a job fills in the defaults. In a
	// Job made by hand a zero value means the default, too.
	Exclusive   bool   // one execution at a time
	Pool        string // label of the agents that may run it; default DefaultPool
	Priority    string // PriorityHigh, PriorityNormal, PriorityLow; default PriorityNormal
	OnAgentLost string // LostFailed, LostRequeue; default LostFailed
	MaxAttempts int    // with LostRequeue: how often it is tried in all; default DefaultMaxAttempts
	Retry       *Retry // nil: a failed execution is not restarted automatically
	// How long an execution may run, and how long it has to stop then. Durations;
	// Timeout is empty for no limit, TimeoutGrace for DefaultTimeoutGrace.
	Timeout, TimeoutGrace string

	Limits []LimitUse // of limits of the control bus, while an execution runs; each name once

	Log string // LogComplete, LogLossy; default LogComplete

	// UnsafeSubstitution allows job parameters in the commands and scripts of a
	// [ShellBatchlet].
	UnsafeSubstitution bool

	Namespace string // of its XML: JavaEE or JakartaEE; default JavaEE. It has no effect on executions
}

// Retry says when the control bus restarts a failed execution.
type Retry struct {
	Attempts   int    // how often the job runs in all, at least 2
	Backoff    string // before the first restart, doubled for each further one; default DefaultBackoff
	MaxBackoff string // duration that Backoff does not exceed; default DefaultMaxBackoff
	// Patterns of [Match] for the exit statuses of the execution and of its steps
	// that failed. The execution is restarted if one of them matches On, or if On
	// is empty, and none matches NotOn.
	On, NotOn []string
}

// LimitUse is how much of a limit of the control bus an execution uses.
type LimitUse struct {
	Name  string
	Units int // at least 1
}

// Element is a part of a job or a flow: a [*Step], [*Flow], [*Split] or
// [*Decision].
type Element interface {
	ElementID() string // unique in the job
	writtenFields() []field
}

// Step does the work, by a batchlet or a chunk. A step without either does
// nothing.
type Step struct {
	ID                   string
	Next                 string // element that follows if no transition matches
	StartLimit           Int    // how often it may start in one job instance; default 0: no limit
	AllowStartIfComplete Bool   // default false: a completed step is not run again by a restart
	Properties           Properties
	Listeners            []Artifact
	Batchlet             *Artifact // at most one of Batchlet and Chunk
	Chunk                *Chunk
	Partition            *Partition
	Transitions          []Transition
}

// Flow is a sequence of elements. Its siblings see it as one element.
type Flow struct {
	ID          string
	Next        string
	Elements    []Element // "steps" in JSON; the first one starts
	Transitions []Transition
}

// Split runs flows in parallel and ends when all of them have ended.
type Split struct {
	ID    string
	Next  string
	Flows []*Flow
}

// Decision calls a decider and matches its answer against the transitions.
type Decision struct {
	ID          string
	Decider     Artifact // "decision" in JSON
	Transitions []Transition
}

// Artifact is a reference to code, with the properties to inject into it.
type Artifact struct {
	Ref        string
	Properties Properties
}

// Chunk reads, processes and writes items, and commits after a number of them.
type Chunk struct {
	CheckpointPolicy    string // item or custom; default item
	ItemCount           Int    // items in a chunk; default 10
	TimeLimit           Int    // seconds until a commit; default 0: no limit
	SkipLimit           Int    // how many skippable exceptions are skipped; default: no limit
	RetryLimit          Int    // how many retryable exceptions are retried; default: no limit
	Reader              *Artifact
	Processor           *Artifact // nil: items are written as read
	Writer              *Artifact
	CheckpointAlgorithm *Artifact // needed by the policy custom
	Skippable           *ExceptionClasses
	Retryable           *ExceptionClasses
	NoRollback          *ExceptionClasses
}

// ExceptionClasses selects exceptions: the included classes and their
// subclasses, without the excluded ones.
type ExceptionClasses struct {
	Include []string
	Exclude []string
}

// Partition runs a step several times in parallel, each time with other
// properties. They come from a plan or from a mapper.
type Partition struct {
	Mapper    *Artifact // at most one of Mapper and Plan
	Plan      *Plan
	Collector *Artifact
	Analyzer  *Artifact
	Reducer   *Artifact
}

// Plan is a fixed partition plan.
type Plan struct {
	Partitions Int // default 1
	Threads    Int // default: as many as partitions
	Properties []PartitionProperties
}

// PartitionProperties are the properties of one partition,
// #{partitionPlan['name']}.
type PartitionProperties struct {
	Partition  Int // from 0
	Properties Properties
}

// Action is what a [Transition] does.
type Action string

// The transition elements.
const (
	Next Action = "next" // go on with the element To
	End  Action = "end"  // the job is COMPLETED
	Fail Action = "fail" // the job is FAILED
	Stop Action = "stop" // the job is STOPPED, a restart begins with the element Restart
)

// Transition determines what follows an element whose exit status matches On.
type Transition struct {
	Action     Action
	On         string // pattern of [Match]
	To         string // of next
	ExitStatus string // of end, fail and stop: the job's exit status; default: none is set
	Restart    string // of stop: element of the job itself; default: the first one
}

// Property is a name and its value.
type Property struct{ Name, Value string }

// Properties keep the order of the document, because a value may refer to the
// properties before it.
type Properties []Property

// Get returns the value of a property and reports whether it exists.
func (p Properties) Get(name string) (string, bool) {
	for _, prop := range p {
		if prop.Name == name {
			return prop.Value, true
		}
	}
	return "", false
}

// ElementID returns the step's id.
func (s *Step) ElementID() string { return s.ID }

// ElementID returns the flow's id.
func (f *Flow) ElementID() string { return f.ID }

// ElementID returns the split's id.
func (s *Split) ElementID() string { return s.ID }

// ElementID returns the decision's id.
func (d *Decision) ElementID() string { return d.ID }
