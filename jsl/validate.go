package jsl

import (
	"fmt"
	"math"
)

const wantAttempts = "a whole number from 1"

// stage says how much has been substituted already, and so which text may stay
// open.
type stage int

const (
	asWritten   stage = iota // nothing: any operator may stand for a value
	asResolved               // all but partitionPlan
	asPartition              // everything
)

// validator collects what is wrong with the meaning of a job.
type validator struct {
	stage  stage
	faults Errors
	ids    map[string]string // of all elements, with their paths
}

func newValidator(s stage) *validator { return &validator{stage: s, ids: map[string]string{}} }

// Validate returns nil or [Errors] with everything that is wrong with the job,
// by the rules of JSR-352 and, for what dispatches it, ours. Where a
// substitution stands its result is not judged: [Job.Resolve] does.
func (j *Job) Validate() error {
	v := newValidator(asWritten)
	v.job(j)
	return v.err()
}

func (v *validator) err() error {
	if len(v.faults) == 0 {
		return nil
	}
	return v.faults
}

func (v *validator) fault(path, want, got string) {
	if len(v.faults) < maxFaults {
		v.faults = append(v.faults, FieldError{Path: path, Want: want, Got: got})
	}
}

func (v *validator) job(j *Job) {
	if !v.nesting("/steps", j.Elements, 0) {
		return
	}
	v.characters("", write(j.fields()))
	if !ValidID(j.ID) {
		v.fault("/id", WantID, shown(j.ID))
	}
	v.bool("/restartable", j.Restartable)
	v.dispatch(j)
	v.properties("", j.Properties)
	v.artifacts("/listeners", j.Listeners)
	v.identify(j)
	v.elements("/steps", j.Elements)
	v.restarts(j)
}

func (v *validator) dispatch(j *Job) {
	if j.Pool != "" && !namePattern.MatchString(j.Pool) {
		v.fault("/pool", wantPool, shown(j.Pool))
	}
	v.fixed("/priority", j.Priority, PriorityHigh, PriorityNormal, PriorityLow)
	v.fixed("/on_agent_lost", j.OnAgentLost, LostFailed, LostRequeue)
	v.fixed("/log", j.Log, LogComplete, LogLossy)
	v.fixed("/namespace", j.Namespace, JavaEE, JakartaEE)
	if j.MaxAttempts < 0 || j.MaxAttempts > math.MaxInt32 {
		v.fault("/max_attempts", wantAttempts, fmt.Sprint(j.MaxAttempts))
	}
}

// elements judges the elements of a job or a flow, what they are and where they
// lead.
func (v *validator) elements(path string, elements []Element) {
	if len(elements) == 0 {
		v.fault(path, "at least one step, flow or split", "")
		return
	}
	if d, ok := elements[0].(*Decision); ok {
		v.fault(atIndex(path, 0), "a step, flow or split first: a decision decides by what ran before it", quote(d.ID))
	}
	for i, e := range elements {
		v.element(atIndex(path, i), e)
	}
	v.targets(path, elements)
}

func (v *validator) element(path string, e Element) {
	switch e := e.(type) {
	case *Step:
		v.step(path, e)
	case *Flow:
		v.elements(path+"/steps", e.Elements)
		v.transitions(path, e.Transitions)
	case *Split:
		v.split(path, e)
	case *Decision:
		v.artifact(path+"/decision", &e.Decider)
		v.transitions(path, e.Transitions)
	}
}

func (v *validator) step(path string, s *Step) {
	v.int(path+"/start_limit", s.StartLimit, 0)
	v.bool(path+"/allow_start_if_complete", s.AllowStartIfComplete)
	v.properties(path, s.Properties)
	v.artifacts(path+"/listeners", s.Listeners)
	if s.Batchlet != nil && s.Chunk != nil {
		v.fault(path+"/chunk", "a batchlet or a chunk, not both", "both")
	}
	v.artifact(path+"/batchlet", s.Batchlet)
	if s.Chunk != nil {
		v.chunk(path+"/chunk", s.Chunk)
	}
	if s.Partition != nil {
		v.partition(path+"/partition", s.Partition)
	}
	v.transitions(path, s.Transitions)
}

func (v *validator) split(path string, s *Split) {
	path += "/flows"
	if len(s.Flows) == 0 {
		v.fault(path, "at least one flow", "")
	}
	for i, f := range s.Flows {
		place := atIndex(path, i)
		v.element(place, f)
		if f.Next != "" {
			v.fault(place+"/next", "nothing: the flows of a split run side by side", shown(f.Next))
		}
		for k, t := range f.Transitions {
			if t.Action == Next {
				v.fault(atIndex(place+"/transitions", k)+"/next", "end, fail or stop: the flows of a split run side by side", "next")
			}
		}
	}
}

func (v *validator) chunk(path string, c *Chunk) {
	v.oneOf(path+"/checkpoint_policy", c.CheckpointPolicy, "item", "custom")
	v.int(path+"/item_count", c.ItemCount, 1)
	v.int(path+"/time_limit", c.TimeLimit, 0)
	v.int(path+"/skip_limit", c.SkipLimit, 0)
	v.int(path+"/retry_limit", c.RetryLimit, 0)
	v.required(path+"/reader", c.Reader)
	v.artifact(path+"/processor", c.Processor)
	v.required(path+"/writer", c.Writer)
	if c.CheckpointPolicy == "custom" {
		v.required(path+"/checkpoint_algorithm", c.CheckpointAlgorithm)
	} else {
		v.artifact(path+"/checkpoint_algorithm", c.CheckpointAlgorithm)
	}
	v.classes(path+"/skippable_exception_classes", c.Skippable)
	v.classes(path+"/retryable_exception_classes", c.Retryable)
	v.classes(path+"/no_rollback_exception_classes", c.NoRollback)
}

func (v *validator) classes(path string, c *ExceptionClasses) {
	if c == nil {
		return
	}
	for i, name := range c.Include {
		v.present(atIndex(path+"/include", i), "the name of an exception class", name)
	}
	for i, name := range c.Exclude {
		v.present(atIndex(path+"/exclude", i), "the name of an exception class", name)
	}
}

func (v *validator) partition(path string, p *Partition) {
	if p.Mapper != nil && p.Plan != nil {
		v.fault(path+"/plan", "a mapper or a plan, not both", "both")
	}
	v.artifact(path+"/mapper", p.Mapper)
	v.artifact(path+"/collector", p.Collector)
	v.artifact(path+"/analyzer", p.Analyzer)
	v.artifact(path+"/reducer", p.Reducer)
	if p.Plan != nil {
		v.plan(path+"/plan", p.Plan)
	}
}

func (v *validator) plan(path string, p *Plan) {
	v.int(path+"/partitions", p.Partitions, 1)
	v.int(path+"/threads", p.Threads, 1)
	seen := map[int]bool{}
	for i, props := range p.Properties {
		place := atIndex(path+"/properties", i)
		v.properties(place, props.Properties)
		place += "/partition"
		v.present(place, "the number of a partition, from 0", string(props.Partition))
		v.int(place, props.Partition, 0)
		n := props.Partition.Or(-1)
		if n < 0 {
			continue // not known yet, or wrong already
		}
		if most := p.most(); n > most {
			v.fault(place, fmt.Sprintf("a whole number from 0 to %d", most), shown(string(props.Partition)))
		}
		if seen[n] {
			v.fault(place, "properties for each partition once", shown(string(props.Partition)))
		}
		seen[n] = true
	}
}

// most is the highest number of a partition, as far as that is known.
func (p *Plan) most() int {
	if p.Partitions == "" {
		return 0
	}
	return p.Partitions.Or(math.MaxInt32) - 1
}
