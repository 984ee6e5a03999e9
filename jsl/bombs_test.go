package jsl

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// Long malformed texts are refused before they use much memory: no text of 4 MB
// costs more than this many bytes.
const mostForBomb = 300 << 20

func TestBombsCostLittle(t *testing.T) {
	fill := func(s string) string { return strings.Repeat(s, 4_000_000/len(s)) }
	for name, b := range map[string]struct {
		form Format
		text string
	}{
		"JSON, wrong steps":          {JSON, `{"id":"z","steps":[` + fill("1,") + "1]}"},
		"JSON, empty steps":          {JSON, `{"id":"z","steps":[` + fill(`{"x":1},`) + "1]}"},
		"JSON, one name many times":  {JSON, "{" + fill(`"a":1,`) + `"b":1}`},
		"EDN, wrong steps":           {EDN, `{:id "z" :steps [` + fill("1 ") + "]}"},
		"EDN, empty steps":           {EDN, `{:id "z" :steps [` + fill("{:x 1} ") + "]}"},
		"EDN, nested tags":           {EDN, fill("#a ")},
		"YAML, wrong steps":          {YAML, "id: z\nsteps:\n" + fill("- 1\n")},
		"YAML, keys without a value": {YAML, fill("? a\n")},
		"XML, empty steps":           {XML, `<job id="a">` + fill("<step/>") + "</job>"},
		"XML, attributes":            {XML, "<job " + fill(`a="" `) + "/>"},
		"XML, known among unknown":   {XML, "<job " + strings.Repeat("a='' ", 140_000) + strings.Repeat("id='' ", 140_000) + "/>"},
		"BPMN, empty steps":          {BPMN, `<jsr352:job id="a">` + fill("<jsr352:step/>") + "</jsr352:job>"},
		"BPMN, steps in a flow":      {BPMN, `<a><jsr352:job id="a"><jsr352:flow id="f">` + strings.Repeat("<jsr352:step id='s'/>", 80_000) + "</jsr352:flow></jsr352:job></a>"},
		"BPMN, shapes":               {BPMN, "<a>" + fill("<s/>") + "</a>"},
		"BPMN, many wide arrows":     {BPMN, wideArrows()},
		"BPMN, text in pieces":       {BPMN, "<jsr352:job id='a'><jsr352:step id='s'><bpmn:outgoing>" + fill("a<!---->") + "</bpmn:outgoing></jsr352:step></jsr352:job>"},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Parse(b.form, []byte(b.text))
			runtime.ReadMemStats(&after)
			wellFormed(t, err)
			if cost := after.TotalAlloc - before.TotalAlloc; cost > mostForBomb {
				t.Errorf("%d MB were allocated", cost>>20)
			}
		})
	}
}

// wideArrows returns a diagram in which many elements refer to arrows that have
// many attributes.
func wideArrows() string {
	var b strings.Builder
	b.WriteString("<jsr352:job id='a b'><jsr352:transition id='t' targetRef='s' ")
	for i := range 140_000 {
		fmt.Fprintf(&b, "a%d='' ", i)
	}
	b.WriteString("/><jsr352:step id='s'>" + strings.Repeat("<bpmn:outgoing>t</bpmn:outgoing>", 60_000) + "</jsr352:step></jsr352:job>")
	return b.String()
}

// A large valid job is read in each form and written back.
func TestLargeJob(t *testing.T) {
	j, err := ParseJSON([]byte(`{"id":"J","properties":{"sql":"` + strings.Repeat("select a, b from c; ", 75_000) + `"},"steps":[{"id":"s"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range formats {
		text, err := j.Format(f)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Parse(f, text); err != nil || again.Properties[0] != j.Properties[0] {
			t.Errorf("%s: %v", f, err)
		}
	}
}
