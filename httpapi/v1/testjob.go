package v1

import (
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// The diagram editor of the v1 console tries a diagram before it saves it: the
// bus runs an execution of the job in which no step does its work. The agents of
// this program have these artifacts.
const (
	TestBatchlet = "org.jobstreamer.batch.TestBatchlet" // does nothing
	TestReader   = "org.jobstreamer.batch.TestReader"   // reads TestItems numbers
	TestWriter   = "org.jobstreamer.batch.TestWriter"   // drops what it is given
)

// TestItems is how many items a chunk of a test execution reads.
const TestItems = 25

// testDecider decides by its properties: native.ConditionDecider, which every
// agent in Go has.
const testDecider = "org.jobstreamer.batch.ConditionDecider"

// RemoveWork replaces all artifacts of a job, so that it needs no component of its
// application. Batchlets do nothing, chunks copy [TestItems] numbers to nowhere,
// a mapper makes two partitions, and each decision goes the way of its first
// transition to an element, or of its first transition if none leads to one.
// Listeners are gone, and what collects and analyzes partitions.
func RemoveWork(j *jsl.Job) *jsl.Job {
	j.Listeners = nil
	j.Walk(func(_ string, e jsl.Element) {
		switch e := e.(type) {
		case *jsl.Step:
			removeStepWork(e)
		case *jsl.Decision:
			e.Decider = jsl.Artifact{Ref: testDecider, Properties: jsl.Properties{{Name: testAnswer(e), Value: "otherwise"}}}
		}
	})
	return j
}

func removeStepWork(s *jsl.Step) {
	s.Listeners = nil
	if s.Chunk == nil {
		s.Batchlet = &jsl.Artifact{Ref: TestBatchlet}
	} else {
		s.Chunk = &jsl.Chunk{
			CheckpointPolicy: "item", ItemCount: s.Chunk.ItemCount, TimeLimit: s.Chunk.TimeLimit,
			Reader: &jsl.Artifact{Ref: TestReader}, Writer: &jsl.Artifact{Ref: TestWriter},
		}
	}
	if s.Partition == nil {
		return
	}
	plan := &jsl.Plan{Partitions: "2"}
	if old := s.Partition.Plan; old != nil {
		plan.Partitions, plan.Threads = old.Partitions, old.Threads
	}
	s.Partition = &jsl.Partition{Plan: plan}
}

// testAnswer returns the exit status with which a decision of a test execution
// goes on.
func testAnswer(d *jsl.Decision) string {
	for _, t := range d.Transitions {
		exit := sampleOf(t.On)
		if taken, ok := jsl.After(d, exit, false); ok && taken.Action == jsl.Next && taken.On == t.On {
			return exit
		}
	}
	if len(d.Transitions) > 0 {
		return sampleOf(d.Transitions[0].On)
	}
	return "TEST"
}

// sampleOf returns a text that matches a pattern of a transition.
func sampleOf(on string) string {
	if text := strings.NewReplacer("*", "", "?", "x").Replace(on); text != "" {
		return text
	}
	return "TEST"
}
