package jsl

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func parseEverything(t *testing.T) *Job {
	t.Helper()
	data, err := os.ReadFile("testdata/everything.json")
	if err != nil {
		t.Fatal(err)
	}
	return mustParse(t, string(data))
}

func TestWalk(t *testing.T) {
	var got []string
	parseEverything(t).Walk(func(path string, e Element) { got = append(got, path+" "+e.ElementID()) })
	want := []string{
		"/steps/0 load", "/steps/1 check", "/steps/2 both",
		"/steps/2/flows/0 left", "/steps/2/flows/0/steps/0 l1", "/steps/2/flows/0/steps/1 l2",
		"/steps/2/flows/1 right", "/steps/2/flows/1/steps/0 r1",
		"/steps/3 rest", "/steps/3/steps/0 last",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Walk: (-want +got)\n%s", diff)
	}
}

func TestFind(t *testing.T) {
	j := parseEverything(t)
	if e, ok := j.Find("right").(*Flow); !ok || e.ID != "right" {
		t.Errorf("Find(right) = %v", e)
	}
	if e := j.Find("nobody"); e != nil {
		t.Errorf("Find(nobody) = %v, want nil", e)
	}
}

func TestComponents(t *testing.T) {
	want := []Component{
		{KindJobListener, "example.Mail", "/listeners/0/ref"},
		{KindStepListener, "example.Log", "/steps/0/listeners/0/ref"},
		{KindReader, "example.Reader", "/steps/0/chunk/reader/ref"},
		{KindProcessor, "example.Processor", "/steps/0/chunk/processor/ref"},
		{KindWriter, "example.Writer", "/steps/0/chunk/writer/ref"},
		{KindCheckpointAlgorithm, "example.Checkpoint", "/steps/0/chunk/checkpoint_algorithm/ref"},
		{KindCollector, "example.Collector", "/steps/0/partition/collector/ref"},
		{KindAnalyzer, "example.Analyzer", "/steps/0/partition/analyzer/ref"},
		{KindReducer, "example.Reducer", "/steps/0/partition/reducer/ref"},
		{KindDecider, "example.Decider", "/steps/1/decision/ref"},
		{KindBatchlet, "example.Left", "/steps/2/flows/0/steps/0/batchlet/ref"},
		{KindMapper, "example.Mapper", "/steps/2/flows/1/steps/0/partition/mapper/ref"},
		{KindBatchlet, "example.Last", "/steps/3/steps/0/batchlet/ref"},
	}
	j := parseEverything(t)
	got := j.Components()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Components: (-want +got)\n%s", diff)
	}
	tree := objectFrom(j.writtenFields())
	for _, c := range got { // the paths are places in the JSON form
		n := tree
		for token := range strings.SplitSeq(c.Path[1:], "/") {
			if n = n.pointerChild(token); n == nil {
				t.Fatalf("nothing is at %s", c.Path)
			}
		}
		if n.text != c.Ref {
			t.Errorf("at %s is %q, want %q", c.Path, n.text, c.Ref)
		}
	}
}
