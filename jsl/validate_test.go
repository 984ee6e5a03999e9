package jsl

import (
	"strings"
	"testing"
)

// Faults of written jobs are in testdata/wrong-meaning.json. The jobs here can
// only be made in Go, or are valid although they look wrong.
func TestValidate(t *testing.T) {
	step := func(id, next string) *Step { return &Step{ID: id, Next: next} }
	deep := func(levels int) []Element {
		elements := []Element{step("S", "")}
		for i := range levels {
			elements = []Element{&Flow{ID: strings.Repeat("f", i+1), Elements: elements}}
		}
		return elements
	}
	for _, c := range []struct {
		name string
		job  Job
		want string
	}{
		{"zero values of dispatch are the defaults", Job{ID: "J", Elements: []Element{step("S", "")}}, ""},
		{"no element", Job{ID: "J"}, "/steps: want at least one step, flow or split"},
		{"an element that is nil", Job{ID: "J", Elements: []Element{nil}}, "/steps/0: want a step, flow, split or decision, got nil"},
		{"text that is not UTF-8", Job{ID: "J", Elements: []Element{step("\xff", "")}}, `/steps/0/id: want text without control characters, got "\xff"`},
		{"an action that is unknown", Job{ID: "J", Elements: []Element{&Step{ID: "S", Transitions: []Transition{{Action: "jump", On: "*"}}}}},
			`/steps/0/transitions/0: want next, end, fail or stop, got "jump"`},
		{"a name twice", Job{ID: "J", Properties: Properties{{"a", "1"}, {"a", "2"}}, Elements: []Element{step("S", "")}},
			`/properties/a: want each name only once, got "a" again`},
		{"an id that is the job's", Job{ID: "J", Elements: []Element{step("J", "")}}, `/steps/0/id: want an id that is unique in the job, got "J"`},
		{"the deepest nesting", Job{ID: "J", Elements: deep(maxNesting)}, ""},
		{"a decision after a decision", Job{ID: "J", Elements: []Element{step("S", "D"),
			&Decision{ID: "D", Decider: Artifact{Ref: "r"}, Transitions: []Transition{{Action: Next, On: "*", To: "E"}}},
			&Decision{ID: "E", Decider: Artifact{Ref: "r"}}}}, ""},
		{"two ways to one element", Job{ID: "J", Elements: []Element{
			&Step{ID: "A", Next: "C", Transitions: []Transition{{Action: Next, On: "X", To: "B"}}}, step("B", "C"), step("C", "")}}, ""},
		{"an element that nothing leads to", Job{ID: "J", Elements: []Element{step("A", ""), step("B", "")}}, ""},
		{"a way back to an earlier place in the text", Job{ID: "J", Elements: []Element{step("A", "C"), step("B", ""), step("C", "B")}}, ""},
		{"a mapper and substituted limits", Job{ID: "J", Elements: []Element{&Step{ID: "S", StartLimit: "#{jobParameters['x']}",
			Partition: &Partition{Plan: &Plan{Partitions: "#{jobParameters['x']}", Properties: []PartitionProperties{{Partition: "5"}}}}}}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if err := c.job.Validate(); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("Validate: %q, want %q", got, c.want)
			}
		})
	}
}

func TestErrorsAreOneLine(t *testing.T) {
	var errs Errors
	for range 12 {
		errs = append(errs, FieldError{Path: "/a\nb", Want: "x"})
	}
	got := errs.Error()
	if strings.Contains(got, "\n") || !strings.HasSuffix(got, "; and 2 more") {
		t.Errorf("Error() = %q", got)
	}
}

func TestAttributes(t *testing.T) {
	if got := Int("12").Or(3); got != 12 {
		t.Errorf("Int(12).Or(3) = %d", got)
	}
	for _, i := range []Int{"", "#{jobParameters['x']}", "x"} {
		if got := i.Or(3); got != 3 {
			t.Errorf("Int(%q).Or(3) = %d, want 3", i, got)
		}
	}
	for b, want := range map[Bool]bool{"true": true, "false": false, "": true, "#{x}": true} {
		if got := b.Or(true); got != want {
			t.Errorf("Bool(%q).Or(true) = %v, want %v", b, got, want)
		}
	}
	if v, ok := (Properties{{"a", "1"}}).Get("a"); v != "1" || !ok {
		t.Errorf("Get(a) = %q, %v", v, ok)
	}
	if v, ok := (Properties{{"a", "1"}}).Get("b"); v != "" || ok {
		t.Errorf("Get(b) = %q, %v", v, ok)
	}
}
