package jsl

import (
	"fmt"
	"strings"
	"testing"
)

// stepsOf returns a job with n steps of a hundred JSON values each.
func stepsOf(t *testing.T, n int) *Job {
	t.Helper()
	var properties Properties
	for i := range 95 {
		properties = append(properties, Property{fmt.Sprint("p", i), "v"})
	}
	j := &Job{ID: "many", Namespace: JavaEE}
	for i := range n {
		j.Elements = append(j.Elements, &Step{ID: fmt.Sprint("s", i), Batchlet: &Artifact{Ref: "x", Properties: properties}})
	}
	j.fillDefaults()
	return j
}

// The size limit of a job does not depend on its form.
func TestLimitIsOfTheModel(t *testing.T) {
	for _, c := range []struct {
		steps int
		fits  bool
	}{{999, true}, {1000, false}} {
		j := stepsOf(t, c.steps)
		for _, f := range formats {
			text, err := j.Format(f)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(f, text)
			if c.fits != (err == nil) {
				t.Errorf("%d steps in %s: %v", c.steps, f, err)
			}
			if err != nil && !strings.Contains(err.Error(), "want at most 100000 values, got 100003 (line ") {
				t.Errorf("%d steps in %s: %v", c.steps, f, err)
			}
		}
	}
}

// A stored job is read regardless of the limits and rules for new jobs.
func TestRestore(t *testing.T) {
	large, err := stepsOf(t, 1_200).MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	j, err := Restore(large)
	if err != nil || len(j.Elements) != 1_200 {
		t.Fatalf("%d steps, %v", len(j.Elements), err)
	}
	if _, err := j.Resolve(nil, nil); err != nil {
		t.Errorf("it cannot run: %v", err)
	}
	if _, err := j.Format(XML); err != nil {
		t.Errorf("it cannot be written: %v", err)
	}
	deep := strings.Repeat(`{"id":"f","steps":[`, 100) + `{"id":"s"}` + strings.Repeat("]}", 100)
	if j, err := Restore([]byte(deep)); err != nil || j.ID != "f" {
		t.Errorf("nested: %v", err)
	}
	if j, err := Restore([]byte(`{"id":"not an id","steps":[],"priority":"urgent"}`)); err != nil || j.ID != "not an id" {
		t.Errorf("against the rules of now: %v", err)
	}
	j, err = Restore([]byte(`{"id":"J","of_a_later_version":1,"steps":[{"id":"s"}]}`))
	if err == nil || j.ID != "J" || len(j.Elements) != 1 {
		t.Errorf("what is not understood: %+v, %v", j, err)
	}
	for _, text := range []string{"", "5", "{"} {
		if j, err := Restore([]byte(text)); err == nil || j == nil {
			t.Errorf("%q: %v, %v", text, j, err)
		}
	}
}
