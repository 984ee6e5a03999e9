package jsl

import (
	"fmt"
	"math"
	"time"
)

const wantAttempts = "a whole number of at least 1"

// stage tells how much is already substituted, and so which operators may
// remain.
type stage int

const (
	asWritten   stage = iota // nothing is substituted: any operator
	asResolved               // all but partitionPlan
	asPartition              // everything
)

// validator collects faults in the meaning of a job.
type validator struct {
	stage  stage
	drawn  bool // the job is a diagram, which cannot have UnsafeSubstitution: its caller calls Validate
	faults Errors
	ids    map[string]string // paths of all elements by id
}

func newValidator(s stage) *validator { return &validator{stage: s, ids: map[string]string{}} }

// Validate returns nil or an [Errors] with all faults of the job, by the rules
// of JSR-352 and, for the dispatch attributes, of this package. It does not
// check values that contain a substitution: [Job.Resolve] does.
func (j *Job) Validate() error {
	v := newValidator(asWritten)
	v.checkJob(j)
	return v.faultsOrNil()
}

func (v *validator) faultsOrNil() error {
	if len(v.faults) == 0 {
		return nil
	}
	return v.faults
}

func (v *validator) reportFault(path, want, got string) {
	if len(v.faults) < maxFaults {
		v.faults = append(v.faults, FieldError{Path: path, Want: want, Got: got})
	}
}

func (v *validator) checkJob(j *Job) {
	if !v.checkNesting("/steps", j.Elements, 0) {
		return
	}
	v.checkCharacters("", objectFrom(j.writtenFields()))
	if !ValidID(j.ID) {
		v.reportFault("/id", WantID, shownText(j.ID))
	}
	v.checkBool("/restartable", j.Restartable)
	v.checkDispatch(j)
	v.checkProperties("", j.Properties)
	v.checkArtifacts("/listeners", j.Listeners)
	v.checkIDs(j)
	v.checkElements("/steps", j.Elements)
	v.checkRestarts(j)
	if v.stage == asWritten && !v.drawn {
		v.checkShellTexts(j)
		v.checkSecrets(j)
	}
}

func (v *validator) checkDispatch(j *Job) {
	if j.Pool != "" && !namePattern.MatchString(j.Pool) {
		v.reportFault("/pool", wantPool, shownText(j.Pool))
	}
	v.checkOneOf("/priority", j.Priority, PriorityHigh, PriorityNormal, PriorityLow)
	v.checkOneOf("/on_agent_lost", j.OnAgentLost, LostFailed, LostRequeue)
	v.checkOneOf("/log", j.Log, LogComplete, LogLossy)
	v.checkOneOf("/namespace", j.Namespace, JavaEE, JakartaEE)
	if j.MaxAttempts < 0 || j.MaxAttempts > math.MaxInt32 {
		v.reportFault("/max_attempts", wantAttempts, fmt.Sprint(j.MaxAttempts))
	}
	v.checkRetry(j)
	v.checkLimits(j.Limits)
	v.checkDelay("/timeout", j.Timeout, time.Second)
	v.checkDelay("/timeout_grace", j.TimeoutGrace, 0)
	if j.TimeoutGrace != "" && j.Timeout == "" {
		v.reportFault("/timeout_grace", "a timeout beside it", shownText(j.TimeoutGrace))
	}
}

// checkElements checks the elements of a job or a flow and their targets.
func (v *validator) checkElements(path string, elements []Element) {
	if len(elements) == 0 {
		v.reportFault(path, "at least one step, flow or split", "")
		return
	}
	if d, ok := elements[0].(*Decision); ok {
		v.reportFault(itemPath(path, 0), "a step, flow or split first: a decision evaluates the element before it", quoteValue(d.ID))
	}
	for i, e := range elements {
		v.checkElement(itemPath(path, i), e)
	}
	v.checkTargets(path, elements)
}

func (v *validator) checkElement(path string, e Element) {
	switch e := e.(type) {
	case *Step:
		v.checkStep(path, e)
	case *Flow:
		v.checkElements(path+"/steps", e.Elements)
		v.checkTransitions(path, e.Transitions)
	case *Split:
		v.checkSplit(path, e)
	case *Decision:
		v.checkOptional(path+"/decision", &e.Decider)
		v.checkTransitions(path, e.Transitions)
	}
}

func (v *validator) checkStep(path string, s *Step) {
	v.checkInt(path+"/start_limit", s.StartLimit, 0)
	v.checkBool(path+"/allow_start_if_complete", s.AllowStartIfComplete)
	v.checkProperties(path, s.Properties)
	v.checkArtifacts(path+"/listeners", s.Listeners)
	if s.Batchlet != nil && s.Chunk != nil {
		v.reportFault(path+"/chunk", "a batchlet or a chunk, not both", "both")
	}
	v.checkOptional(path+"/batchlet", s.Batchlet)
	if s.Chunk != nil {
		v.checkChunk(path+"/chunk", s.Chunk)
	}
	if s.Partition != nil {
		v.checkPartition(path+"/partition", s.Partition)
	}
	v.checkTransitions(path, s.Transitions)
}

func (v *validator) checkSplit(path string, s *Split) {
	path += "/flows"
	if len(s.Flows) == 0 {
		v.reportFault(path, "at least one flow", "")
	}
	for i, f := range s.Flows {
		place := itemPath(path, i)
		v.checkElement(place, f)
		if f.Next != "" {
			v.reportFault(place+"/next", "no next: the flows of a split run in parallel", shownText(f.Next))
		}
		for k, t := range f.Transitions {
			if t.Action == Next {
				v.reportFault(itemPath(place+"/transitions", k)+"/next", "end, fail or stop: the flows of a split run in parallel", "next")
			}
		}
	}
}

func (v *validator) checkChunk(path string, c *Chunk) {
	v.oneOf(path+"/checkpoint_policy", c.CheckpointPolicy, "item", "custom")
	v.checkInt(path+"/item_count", c.ItemCount, 1)
	v.checkInt(path+"/time_limit", c.TimeLimit, 0)
	v.checkInt(path+"/skip_limit", c.SkipLimit, 0)
	v.checkInt(path+"/retry_limit", c.RetryLimit, 0)
	v.checkRequired(path+"/reader", c.Reader)
	v.checkOptional(path+"/processor", c.Processor)
	v.checkRequired(path+"/writer", c.Writer)
	if c.CheckpointPolicy == "custom" {
		v.checkRequired(path+"/checkpoint_algorithm", c.CheckpointAlgorithm)
	} else {
		v.checkOptional(path+"/checkpoint_algorithm", c.CheckpointAlgorithm)
	}
	v.checkClasses(path+"/skippable_exception_classes", c.Skippable)
	v.checkClasses(path+"/retryable_exception_classes", c.Retryable)
	v.checkClasses(path+"/no_rollback_exception_classes", c.NoRollback)
}

func (v *validator) checkClasses(path string, c *ExceptionClasses) {
	if c == nil {
		return
	}
	for i, name := range c.Include {
		v.checkPresent(itemPath(path+"/include", i), "the name of an exception class", name)
	}
	for i, name := range c.Exclude {
		v.checkPresent(itemPath(path+"/exclude", i), "the name of an exception class", name)
	}
}

func (v *validator) checkPartition(path string, p *Partition) {
	if p.Mapper != nil && p.Plan != nil {
		v.reportFault(path+"/plan", "a mapper or a plan, not both", "both")
	}
	v.checkOptional(path+"/mapper", p.Mapper)
	v.checkOptional(path+"/collector", p.Collector)
	v.checkOptional(path+"/analyzer", p.Analyzer)
	v.checkOptional(path+"/reducer", p.Reducer)
	if p.Plan != nil {
		v.checkPlan(path+"/plan", p.Plan)
	}
}

// maxPartitions is the number that agents accept (subjects.MaxPartitions).
const maxPartitions = 10_000

func (v *validator) checkPlan(path string, p *Plan) {
	v.checkInt(path+"/partitions", p.Partitions, 0)
	if p.Partitions.Or(0) > maxPartitions {
		v.reportFault(path+"/partitions", fmt.Sprintf("at most %d partitions", maxPartitions), shownText(string(p.Partitions)))
	}
	v.checkInt(path+"/threads", p.Threads, 0) // 0: as many as partitions
	seen := map[int]bool{}
	for i, props := range p.Properties {
		place := itemPath(path+"/properties", i)
		v.checkProperties(place, props.Properties)
		place += "/partition"
		v.checkPresent(place, "the number of a partition, at least 0", string(props.Partition))
		v.checkInt(place, props.Partition, 0)
		n := props.Partition.Or(-1)
		if n < 0 {
			continue // not known yet, or wrong already
		}
		switch most := p.maxPartition(); {
		case most < 0:
			v.reportFault(place, "no properties, since the plan has no partition", shownText(string(props.Partition)))
		case n > most:
			v.reportFault(place, fmt.Sprintf("a whole number from 0 to %d", most), shownText(string(props.Partition)))
		}
		if seen[n] {
			v.reportFault(place, "only one set of properties for each partition", shownText(string(props.Partition)))
		}
		seen[n] = true
	}
}

// maxPartition returns the highest number of a partition, as far as it is
// known.
func (p *Plan) maxPartition() int {
	if p.Partitions == "" {
		return 0
	}
	return p.Partitions.Or(math.MaxInt32) - 1
}
