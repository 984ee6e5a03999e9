package jsl

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseJSON(t *testing.T) {
	t.Run("the smallest job", func(t *testing.T) {
		got, err := ParseJSON([]byte(`{"id":"JOB-1","steps":[{"id":"STEP-1","batchlet":{"ref":"example.Batchlet","properties":{"z":"v","a":1.50,"b":true}}}]}`))
		if err != nil {
			t.Fatal(err)
		}
		want := &Job{
			ID: "JOB-1", Pool: "default", Priority: "normal", OnAgentLost: "failed", MaxAttempts: 3, Log: "complete", Namespace: "javaee",
			Elements: []Element{&Step{ID: "STEP-1", Batchlet: &Artifact{"example.Batchlet",
				Properties{{"z", "v"}, {"a", "1.50"}, {"b", "true"}}}}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ParseJSON: (-want +got)\n%s", diff)
		}
	})
	t.Run("numbers and truth values may be strings", func(t *testing.T) {
		plain, err := ParseJSON([]byte(`{"id":"J","restartable":false,"steps":[{"id":"S","start_limit":7}]}`))
		if err != nil {
			t.Fatal(err)
		}
		quoted, err := ParseJSON([]byte(`{"id":"J","restartable":"false","steps":[{"id":"S","start_limit":"+07"}]}`))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(plain, quoted); diff != "" {
			t.Errorf("strings read differently: (-plain +quoted)\n%s", diff)
		}
	})
	t.Run("all faults are of the type Errors", func(t *testing.T) {
		for _, text := range []string{`{`, `{}`, `{"id":1}`} {
			_, err := ParseJSON([]byte(text))
			var errs Errors
			if !errors.As(err, &errs) || len(errs) == 0 {
				t.Errorf("ParseJSON(%s) = %v, want Errors", text, err)
			}
		}
	})
}

// compareGoldens reads each text and compares the result with its .golden: the
// canonical form of a job, or the faults of a text that is not a job.
func compareGoldens(t *testing.T, pattern string, parse func([]byte) (*Job, error)) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			compareGolden(t, file+".golden", formatOutcome(parse(data)))
		})
	}
}

// formatOutcome returns the canonical form of a job, or its faults, one a line.
func formatOutcome(j *Job, err error) string {
	var errs Errors
	if errors.As(err, &errs) {
		var b strings.Builder
		for _, f := range errs {
			b.WriteString(f.Error() + "\n")
		}
		return b.String()
	}
	b, err := json.MarshalIndent(j, "", "  ")
	if err != nil {
		return err.Error()
	}
	return string(b) + "\n"
}

// A job that is written and read again stays the same, and so does its text.
func TestJSONGivesTheSameJob(t *testing.T) {
	for seed := range seedCount(50, 200) {
		want := newGenerator(seed).randomJob()
		if err := want.Validate(); err != nil {
			t.Fatalf("seed %d: the generator made a wrong job: %v", seed, err)
		}
		text, err := want.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParseJSON(text)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d: read again: (-want +got)\n%s", seed, diff)
		}
		if again, _ := got.MarshalJSON(); string(again) != string(text) {
			t.Fatalf("seed %d: written again:\n%s\nwant\n%s", seed, again, text)
		}
	}
}

func TestAJobInsideOtherJSON(t *testing.T) {
	type message struct {
		Job   Job  `json:"job"`
		Other *Job `json:"other"`
	}
	var m message
	in := `{"job":{"id":"J","steps":[{"id":"S"}]},"other":null}`
	if err := json.Unmarshal([]byte(in), &m); err != nil {
		t.Fatal(err)
	}
	if out, err := json.Marshal(m); string(out) != in {
		t.Errorf("Marshal = %s, %v, want %s", out, err, in)
	}
}

func TestParseJSONIsBounded(t *testing.T) {
	const size = 1 << 18
	repeat := func(s string) string { return strings.Repeat(s, size/len(s)) }
	for name, text := range map[string]string{
		"nested arrays":             repeat("["),
		"nested objects":            repeat(`{"steps":[`),
		"unknown fields":            `{` + repeat(`"x":1,`) + `"id":"J"}`,
		"long unknown names":        `{` + strings.Repeat(`"`+strings.Repeat("n", size/100)+`":1,`, 100) + `"id":"J"}`,
		"many faulty steps":         `{"id":"J","steps":[` + repeat(`{},`) + `{}]}`,
		"many steps that lead on":   `{"id":"J","steps":[` + repeat(`{"id":"S","next":"S"},`) + `{}]}`,
		"unfinished operators":      `{"id":"J","steps":[{"id":"S","start_limit":"` + repeat(`#{jobParameters['`) + `"}]}`,
		"a number without end":      `{"id":"J","steps":[{"id":"S","start_limit":1` + repeat(`0`) + `}]}`,
		"line breaks and a mistake": repeat("\n") + "x",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseJSON([]byte(text))
			if err == nil || len(err.Error()) > 10_000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func FuzzParseJSON(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.json")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		j, err := ParseJSON(data)
		if err != nil {
			wellFormed(t, err)
			return
		}
		text, err := j.MarshalJSON()
		if err != nil {
			t.Fatalf("not written: %v", err)
		}
		again, err := ParseJSON(text)
		if err != nil {
			t.Fatalf("not read again: %v\n%s", err, text)
		}
		if diff := cmp.Diff(j, again); diff != "" {
			t.Fatalf("read again: (-want +got)\n%s", diff)
		}
		_, _ = j.Resolve(map[string]string{"a": "b"}, nil) // must not panic
	})
}

// wellFormed checks the faults of a text that was refused.
func wellFormed(t *testing.T, err error) {
	var errs Errors
	if !errors.As(err, &errs) || len(errs) == 0 || len(errs) > maxFaults {
		t.Fatalf("%d faults: %v", len(errs), err)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Fatalf("more than a line: %q", err)
	}
	for _, f := range errs {
		if f.Want == "" || f.Line < 1 || f.Column < 1 {
			t.Fatalf("a fault without place or hope: %+v", f)
		}
	}
}
