package jsl

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func mustParse(t *testing.T, text string) *Job {
	t.Helper()
	j, err := ParseJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func TestResolve(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"numbers and truth values become such",
			`{"id":"J","restartable":"#{jobParameters['no']}?:false;","steps":[{"id":"S","start_limit":"#{jobParameters['n']}"}]}`,
			`{"id":"J","restartable":false,"steps":[{"id":"S","start_limit":12}]}`},
		{"every attribute but ids and ours",
			`{"id":"J","pool":"p","steps":[{"id":"#{jobParameters['n']}","batchlet":{"ref":"B#{jobParameters['n']}","properties":{"k#{jobParameters['n']}":"#{systemProperties['os']}"}},
			  "transitions":[{"end":{"on":"#{jobParameters['n']}*","exit_status":"#{jobParameters['none']}"}}]}]}`,
			`{"id":"J","pool":"p","steps":[{"id":"#{jobParameters['n']}","batchlet":{"ref":"B12","properties":{"k12":"linux"}},"transitions":[{"end":{"on":"12*"}}]}]}`},
		{"properties are looked for from the inside out",
			`{"id":"J","properties":{"stem":"postings","log":"job"},"steps":[{"id":"S","chunk":{"reader":{"ref":"R","properties":{
			  "in":"#{jobProperties['stem']}.txt","log":"reader","out":"#{jobProperties['log']}.txt"}},"writer":{"ref":"#{jobProperties['log']}"}}}]}`,
			`{"id":"J","properties":{"stem":"postings","log":"job"},"steps":[{"id":"S","chunk":{"reader":{"ref":"R","properties":{
			  "in":"postings.txt","log":"reader","out":"reader.txt"}},"writer":{"ref":"job"}}}]}`},
		{"a later property is not defined yet",
			`{"id":"J","properties":{"a":"<#{jobProperties['b']}>","b":"x","c":"#{jobProperties['c']}"},"steps":[{"id":"S"}]}`,
			`{"id":"J","properties":{"a":"<>","b":"x","c":""},"steps":[{"id":"S"}]}`},
		{"properties beside it are not in scope",
			`{"id":"J","steps":[{"id":"S","properties":{"p":"1"}},{"id":"T","properties":{"q":"#{jobProperties['p']}?:none;"}}]}`,
			`{"id":"J","steps":[{"id":"S","properties":{"p":"1"}},{"id":"T","properties":{"q":"none"}}]}`},
		{"attributes of an element do not see its own properties, its transitions do",
			`{"id":"J","properties":{"p":"1"},"steps":[{"id":"S","properties":{"p":"2"},"start_limit":"#{jobProperties['p']}","transitions":[{"end":{"on":"#{jobProperties['p']}"}}]}]}`,
			`{"id":"J","properties":{"p":"1"},"steps":[{"id":"S","properties":{"p":"2"},"start_limit":1,"transitions":[{"end":{"on":"2"}}]}]}`},
		{"partitionPlan waits in what runs once a partition",
			`{"id":"J","steps":[{"id":"S","properties":{"f":"#{partitionPlan['f']}"},"batchlet":{"ref":"#{partitionPlan['r']}?:#{jobParameters['n']};","properties":{"g":"#{jobProperties['f']}?:d;"}},
			  "partition":{"mapper":{"ref":"M#{partitionPlan['x']}"},"collector":{"ref":"C#{partitionPlan['x']}"}},"transitions":[{"end":{"on":"E#{partitionPlan['x']}"}}]}]}`,
			`{"id":"J","steps":[{"id":"S","properties":{"f":"#{partitionPlan['f']}"},"batchlet":{"ref":"#{partitionPlan['r']}?:12;","properties":{"g":"#{partitionPlan['f']}?:d;"}},
			  "partition":{"mapper":{"ref":"M"},"collector":{"ref":"C#{partitionPlan['x']}"}},"transitions":[{"end":{"on":"E"}}]}]}`},
		{"partitionPlan is empty where there are no partitions",
			`{"id":"J","steps":[{"id":"S","batchlet":{"ref":"B#{partitionPlan['x']}","properties":{"a":"#{partitionPlan['x']}?:none;"}}}]}`,
			`{"id":"J","steps":[{"id":"S","batchlet":{"ref":"B","properties":{"a":"none"}}}]}`},
		{"a plan is substituted at once",
			`{"id":"J","steps":[{"id":"S","partition":{"plan":{"partitions":"#{jobParameters['n']}","properties":[{"partition":"#{jobParameters['none']}?:3;","properties":{"a":"#{jobParameters['n']}"}}]}}}]}`,
			`{"id":"J","steps":[{"id":"S","partition":{"plan":{"partitions":12,"properties":[{"partition":3,"properties":{"a":"12"}}]}}}]}`},
		{"a target may be a parameter",
			`{"id":"J","steps":[{"id":"S","next":"#{jobParameters['to']}"},{"id":"T"}]}`,
			`{"id":"J","steps":[{"id":"S","next":"T"},{"id":"T"}]}`},
		{"exception classes too",
			`{"id":"J","steps":[{"id":"S","chunk":{"reader":{"ref":"R"},"writer":{"ref":"W"},"skippable_exception_classes":{"include":["a.#{jobParameters['n']}"]}}}]}`,
			`{"id":"J","steps":[{"id":"S","chunk":{"reader":{"ref":"R"},"writer":{"ref":"W"},"skippable_exception_classes":{"include":["a.12"]}}}]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			j := mustParse(t, c.in)
			got, err := j.Resolve(map[string]string{"n": "12", "to": "T"}, map[string]string{"os": "linux"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(mustParse(t, c.want), got); diff != "" {
				t.Errorf("Resolve: (-want +got)\n%s", diff)
			}
			if diff := cmp.Diff(mustParse(t, c.in), j); diff != "" {
				t.Errorf("Resolve changed its job: (-before +after)\n%s", diff)
			}
		})
	}
}

func TestResolveRefuses(t *testing.T) {
	params := map[string]string{"word": "ten", "operator": "#{jobParameters['n']}", "plan": "#{partitionPlan['n']}", "id": "S"}
	for _, c := range []struct{ name, step, want string }{
		{"a number that is a word", `"start_limit":"#{jobParameters['word']}"`, `/steps/0/start_limit: want a whole number of at least 0, got "ten"`},
		{"a truth value that is a word", `"allow_start_if_complete":"#{jobParameters['word']}"`, `/steps/0/allow_start_if_complete: want true or false, got "ten"`},
		{"a number that is an operator", `"start_limit":"#{jobParameters['operator']}"`, `/steps/0/start_limit: want a whole number of at least 0, got "#{jobParameters['n']}"`},
		{"a reference that is empty", `"batchlet":{"ref":"#{jobParameters['none']}"}`, `/steps/0/batchlet/ref: want the name of an artifact`},
		{"a target that is unknown", `"next":"#{jobParameters['word']}"`, `/steps/0/next: want the id of an element, got "ten"`},
		{"a loop", `"next":"#{jobParameters['id']}"`, `/steps/0/next: want a target that does not cause a loop, got "S > S"`},
		{"names that become the same", `"properties":{"a":"1","a#{jobParameters['none']}":"2"}`, `/steps/0/properties/a: want each name only once, got "a" again`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := mustParse(t, `{"id":"J","steps":[{"id":"S",`+c.step+`}]}`).Resolve(params, nil)
			if err == nil || err.Error() != c.want {
				t.Errorf("Resolve: %v\nwant     %s", err, c.want)
			}
			var errs Errors
			if !errors.As(err, &errs) {
				t.Errorf("Resolve returned %T, want Errors", err)
			}
		})
	}
}

func TestResolvePartition(t *testing.T) {
	j := mustParse(t, `{"id":"J","steps":[{"id":"S","partition":{"mapper":{"ref":"M"}},
		"chunk":{"item_count":"#{partitionPlan['count']}","reader":{"ref":"R","properties":{
			"in":"file#{partitionPlan['n']}.txt","out":"#{partitionPlan['out']}?:#{jobParameters['out']};","data":"#{jobParameters['operator']}"}},"writer":{"ref":"W"}}}]}`)
	j, err := j.Resolve(map[string]string{"out": "default.txt", "operator": "#{jobParameters['out']}"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	step := j.Elements[0].(*Step)
	t.Run("the plan's properties take the place of the operators", func(t *testing.T) {
		s, err := step.ResolvePartition(Properties{{"n", "1"}, {"count", "5"}})
		if err != nil {
			t.Fatal(err)
		}
		want := Properties{{"in", "file1.txt"}, {"out", "default.txt"}, {"data", "#{jobParameters['out']}"}}
		if diff := cmp.Diff(want, s.Chunk.Reader.Properties); diff != "" || s.Chunk.ItemCount != "5" {
			t.Errorf("item_count %s, properties: (-want +got)\n%s", s.Chunk.ItemCount, diff)
		}
	})
	t.Run("a number that is none is refused", func(t *testing.T) {
		_, err := step.ResolvePartition(Properties{{"count", "x"}})
		if want := `/chunk/item_count: want a whole number of at least 1, got "x"`; err == nil || err.Error() != want {
			t.Errorf("ResolvePartition: %v, want %s", err, want)
		}
	})
}

// Each property refers twice to the one before, so the text doubles each time:
// 2^64 bytes in 64 lines.
func TestResolveIsBounded(t *testing.T) {
	j := &Job{ID: "J", Elements: []Element{&Step{ID: "S"}}, Properties: Properties{{"p0", "x"}}}
	for i := range 64 {
		j.Properties = append(j.Properties, Property{fmt.Sprint("p", i+1), strings.Repeat(fmt.Sprintf("#{jobProperties['p%d']}", i), 2)})
	}
	if _, err := j.Resolve(nil, nil); err == nil || !strings.Contains(err.Error(), "at most 16 MiB") {
		t.Errorf("Resolve: %v, want a refusal", err)
	}
}

func TestResolveWithoutOperatorsChangesNothing(t *testing.T) {
	for seed := range seedCount(30, 100) {
		want := newGenerator(seed).randomJob()
		text, err := want.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		plain := mustParse(t, strings.NewReplacer("#{jobParameters['n']}?:7;", "7", "#{jobParameters['b']}", "true",
			"#{jobParameters['policy']}", "item", "#{", "+{").Replace(string(text)))
		got, err := plain.Resolve(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(plain, got); diff != "" {
			t.Fatalf("seed %d: (-want +got)\n%s", seed, diff)
		}
	}
}

// 8.1, 8.8: the attribute restartable is substituted like any other.
func TestCanRestart(t *testing.T) {
	for _, test := range []struct {
		restartable Bool
		want        bool
	}{
		{"", true}, {"true", true}, {"false", false},
		{"#{jobParameters['r']}", false}, {"#{jobParameters['none']}", true}, {"#{jobParameters['none']}?:false;", false},
	} {
		j := &Job{ID: "job", Restartable: test.restartable, Elements: []Element{&Step{ID: "a"}}}
		params := map[string]string{"r": "false"}
		if got := j.CanRestart(params); got != test.want {
			t.Errorf("CanRestart of %q = %v, want %v", test.restartable, got, test.want)
		}
		if resolved, err := j.Resolve(params, nil); err != nil || resolved.Restartable.Or(true) != test.want {
			t.Errorf("Resolve of %q: %v, %v, want %v", test.restartable, resolved, err, test.want)
		}
	}
}
