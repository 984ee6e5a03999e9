package jsl

// Walk calls visit for each element in the order of the document. A flow or
// split comes before its content. The path is the JSON pointer of the element.
func (j *Job) Walk(visit func(path string, e Element)) { walkElements("/steps", j.Elements, visit) }

func walkElements(path string, elements []Element, visit func(path string, e Element)) {
	for i, e := range elements {
		place := itemPath(path, i)
		visit(place, e)
		switch e := e.(type) {
		case *Flow:
			walkElements(place+"/steps", e.Elements, visit)
		case *Split:
			for k, f := range e.Flows {
				inner := itemPath(place+"/flows", k)
				visit(inner, f)
				walkElements(inner+"/steps", f.Elements, visit)
			}
		}
	}
}

// Find returns the element with that id, or nil.
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

// How a job uses a component.
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
	KindStepListener        = "step-listener" // of a step; it may listen
)

// Components returns all references to code in the order of the document. It
// leaves out exception classes, which are only names to compare with.
func (j *Job) Components() []Component {
	var c components
	c.addArtifacts(KindJobListener, "/listeners", j.Listeners)
	j.Walk(func(path string, e Element) {
		switch e := e.(type) {
		case *Step:
			c.addStep(path, e)
		case *Decision:
			c.addArtifact(KindDecider, path+"/decision", &e.Decider)
		}
	})
	return c
}

type components []Component

func (c *components) addArtifact(kind, path string, a *Artifact) {
	if a != nil {
		*c = append(*c, Component{kind, a.Ref, path + "/ref"})
	}
}

func (c *components) addArtifacts(kind, path string, artifacts []Artifact) {
	for i := range artifacts {
		c.addArtifact(kind, itemPath(path, i), &artifacts[i])
	}
}

func (c *components) addStep(path string, s *Step) {
	c.addArtifacts(KindStepListener, path+"/listeners", s.Listeners)
	c.addArtifact(KindBatchlet, path+"/batchlet", s.Batchlet)
	if ch := s.Chunk; ch != nil {
		c.addArtifact(KindReader, path+"/chunk/reader", ch.Reader)
		c.addArtifact(KindProcessor, path+"/chunk/processor", ch.Processor)
		c.addArtifact(KindWriter, path+"/chunk/writer", ch.Writer)
		c.addArtifact(KindCheckpointAlgorithm, path+"/chunk/checkpoint_algorithm", ch.CheckpointAlgorithm)
	}
	if p := s.Partition; p != nil {
		c.addArtifact(KindMapper, path+"/partition/mapper", p.Mapper)
		c.addArtifact(KindCollector, path+"/partition/collector", p.Collector)
		c.addArtifact(KindAnalyzer, path+"/partition/analyzer", p.Analyzer)
		c.addArtifact(KindReducer, path+"/partition/reducer", p.Reducer)
	}
}
