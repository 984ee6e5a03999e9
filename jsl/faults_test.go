package jsl

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
)

// spoilJob makes a job invalid in a few ways.
func (g *generator) spoilJob(j *Job) {
	var elements []Element
	j.Walk(func(_ string, e Element) { elements = append(elements, e) })
	for range 1 + g.IntN(4) {
		switch e := pickOne(g, elements...).(type) {
		case *Step:
			g.spoilStep(e)
		case *Flow:
			e.ID = pickOne(g, "", j.ID)
		case *Split:
			e.Next = "nowhere"
		case *Decision:
			e.Decider.Ref = ""
		}
	}
	switch g.IntN(6) {
	case 0:
		j.ID = "a b"
	case 1:
		j.Restartable = "maybe"
	case 2:
		j.Priority = "urgent"
	case 3:
		j.Listeners = append(j.Listeners, Artifact{})
	case 4:
		j.Properties = append(j.Properties, Property{"twice", "1"}, Property{"twice", "2"})
	}
}

func (g *generator) spoilStep(s *Step) {
	switch g.IntN(8) {
	case 0:
		s.StartLimit = pickOne[Int](g, "-1", "many", "99999999999", "#{unknown['x']}")
	case 1:
		s.Next = pickOne(g, "nowhere", s.ID, "#{")
	case 2:
		s.ID = ""
	case 3:
		s.Batchlet, s.Chunk = g.randomArtifact(), &Chunk{ItemCount: "0", CheckpointPolicy: "custom"}
	case 4:
		s.Transitions = append(s.Transitions, Transition{Action: Next, To: "nowhere"}, Transition{Action: Stop, On: "*", Restart: "nowhere"})
	case 5:
		s.Partition = &Partition{Mapper: g.randomArtifact(), Plan: &Plan{Partitions: "0", Properties: []PartitionProperties{{Partition: "7"}, {Partition: "7"}}}}
	case 6:
		s.Chunk = &Chunk{Reader: &Artifact{}, Skippable: &ExceptionClasses{Include: []string{"a", ""}}}
	case 7:
		s.AllowStartIfComplete = "TRUE"
	}
}

// An invalid job has the same faults in all forms, and Validate finds the same.
func TestFaultsAreTheSameInAllForms(t *testing.T) {
	for seed := range seedCount(60, 300) {
		g := newGenerator(seed)
		j := g.randomJob()
		g.spoilJob(j)
		want := faultsOf(j.Validate())
		for _, f := range formats {
			text, err := j.Format(f)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(f, text)
			if diff := gocmp.Diff(want, faultsOf(err)); diff != "" {
				t.Fatalf("seed %d, %s: (-Validate +Parse)\n%s\n%s", seed, f, diff, text)
			}
		}
	}
}

// faultsOf returns the faults without their places.
func faultsOf(err error) Errors {
	var errs Errors
	errors.As(err, &errs)
	errs = slices.Clone(errs)
	for i := range errs {
		errs[i].Line, errs[i].Column = 0, 0
	}
	slices.SortFunc(errs, func(a, b FieldError) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Want, b.Want), cmp.Compare(a.Got, b.Got))
	})
	return errs
}

// In all forms, a fault's place is where the wrong value is written.
func TestFaultsSayWhereTheyAre(t *testing.T) {
	for seed := range seedCount(30, 100) {
		g := newGenerator(seed)
		j := g.randomJob()
		var steps []*Step
		j.Walk(func(_ string, e Element) {
			if s, ok := e.(*Step); ok {
				steps = append(steps, s)
			}
		})
		pickOne(g, steps...).StartLimit = "WRONG"
		for _, f := range formats {
			text, err := j.Format(f)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(f, text)
			var errs Errors
			if !errors.As(err, &errs) || len(errs) != 1 {
				t.Fatalf("seed %d, %s: %v, want one fault", seed, f, err)
			}
			line := []rune(strings.Split(string(text), "\n")[errs[0].Line-1])
			if got := strings.TrimPrefix(string(line[errs[0].Column-1:]), `"`); !strings.HasPrefix(got, "WRONG") {
				t.Fatalf("seed %d, %s: at line %d, column %d is %q", seed, f, errs[0].Line, errs[0].Column, got)
			}
		}
	}
}
