package jsl

// Walk calls visit for each element in the order of the document, a flow or a
// split before what it contains. The path is the JSON pointer of the element.
func (j *Job) Walk(visit func(path string, e Element)) { walk("/steps", j.Elements, visit) }

func walk(path string, elements []Element, visit func(path string, e Element)) {
	for i, e := range elements {
		place := atIndex(path, i)
		visit(place, e)
		switch e := e.(type) {
		case *Flow:
			walk(place+"/steps", e.Elements, visit)
		case *Split:
			for k, f := range e.Flows {
				inner := atIndex(place+"/flows", k)
				visit(inner, f)
				walk(inner+"/steps", f.Elements, visit)
			}
		}
	}
}

// Find returns the element of that id, or nil.
func (j *Job) Find(id string) Element {
	var found Element
	j.Walk(func(_ string, e Element) {
		if found == nil && e.ElementID() == id {
			found = e
		}
	})
	return found
}

// Component is a reference of a job to code.
type Component struct {
	Kind string // one of the Kind constants
	Ref  string
	Path string // JSON pointer of the ref
}

// What a component is used as.
const (
	KindBatchlet            = "batchlet"
	KindReader              = "item-reader"
	KindProcessor           = "item-processor"
	KindWriter              = "item-writer"
	KindCheckpointAlgorithm = "checkpoint-algorithm"
	KindMapper              = "partition-mapper"
	KindCollector           = "partition-collector"
	KindAnalyzer            = "partition-analyzer"
	KindReducer             = "partition-reducer"
	KindDecider             = "decider"
	KindJobListener         = "job-listener"
	KindStepListener        = "step-listener" // of a step: it may listen to chunks and items as well
)

// Components returns all references to code in the order of the document.
// Exception classes are not among them: they are names to compare with.
func (j *Job) Components() []Component {
	var c components
	c.list(KindJobListener, "/listeners", j.Listeners)
	j.Walk(func(path string, e Element) {
		switch e := e.(type) {
		case *Step:
			c.step(path, e)
		case *Decision:
			c.add(KindDecider, path+"/decision", &e.Decider)
		}
	})
	return c
}

type components []Component

func (c *components) add(kind, path string, a *Artifact) {
	if a != nil {
		*c = append(*c, Component{kind, a.Ref, path + "/ref"})
	}
}

func (c *components) list(kind, path string, artifacts []Artifact) {
	for i := range artifacts {
		c.add(kind, atIndex(path, i), &artifacts[i])
	}
}

func (c *components) step(path string, s *Step) {
	c.list(KindStepListener, path+"/listeners", s.Listeners)
	c.add(KindBatchlet, path+"/batchlet", s.Batchlet)
	if ch := s.Chunk; ch != nil {
		c.add(KindReader, path+"/chunk/reader", ch.Reader)
		c.add(KindProcessor, path+"/chunk/processor", ch.Processor)
		c.add(KindWriter, path+"/chunk/writer", ch.Writer)
		c.add(KindCheckpointAlgorithm, path+"/chunk/checkpoint_algorithm", ch.CheckpointAlgorithm)
	}
	if p := s.Partition; p != nil {
		c.add(KindMapper, path+"/partition/mapper", p.Mapper)
		c.add(KindCollector, path+"/partition/collector", p.Collector)
		c.add(KindAnalyzer, path+"/partition/analyzer", p.Analyzer)
		c.add(KindReducer, path+"/partition/reducer", p.Reducer)
	}
}
