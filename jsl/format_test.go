package jsl

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var formats = []Format{JSON, YAML, EDN, XML}

// These tests run for every form.

func TestFormats(t *testing.T) {
	for _, f := range formats {
		t.Run(string(f), func(t *testing.T) {
			t.Run("a job that is written and read again is the same job", func(t *testing.T) { checkFormatRoundTrips(t, f) })
			t.Run("each text gives its golden job or faults", func(t *testing.T) {
				compareGoldens(t, "testdata/*."+string(f), func(data []byte) (*Job, error) { return Parse(f, data) })
			})
			t.Run("everything is written as in the golden file", func(t *testing.T) {
				text, err := parseEverything(t).Format(f)
				if err != nil {
					t.Fatal(err)
				}
				compareGolden(t, "testdata/written/everything."+string(f), string(text))
			})
			t.Run("a byte order mark is not part of the text", func(t *testing.T) {
				text, _ := parseEverything(t).Format(f)
				if _, err := Parse(f, append([]byte("\ufeff"), text...)); err != nil {
					t.Error(err)
				}
			})
			t.Run("text that no form can hold is not written", func(t *testing.T) {
				j := &Job{ID: "J", Elements: []Element{&Step{ID: "a\x00b"}}}
				var errs Errors
				if _, err := j.Format(f); !errors.As(err, &errs) {
					t.Errorf("Format: %v, want Errors", err)
				}
			})
			t.Run("nothing is a fault", func(t *testing.T) {
				for _, text := range []string{"", " \n", "\x00", "\xff"} {
					_, err := Parse(f, []byte(text))
					wellFormed(t, err)
				}
			})
		})
	}
}

func TestUnknownFormat(t *testing.T) {
	const read = `format "toml": want json, yaml, edn, xml or bpmn`
	if _, err := Parse("toml", nil); err == nil || err.Error() != read {
		t.Errorf("Parse: %v, want %s", err, read)
	}
	for _, f := range []Format{"toml", BPMN} {
		want := `format "` + string(f) + `": want json, yaml, edn or xml`
		if _, err := (&Job{}).Format(f); err == nil || err.Error() != want {
			t.Errorf("Format: %v, want %s", err, want)
		}
	}
}

func checkFormatRoundTrips(t *testing.T, f Format) {
	for seed := range seedCount(30, 100) {
		want := newGenerator(seed).randomJob()
		if err := want.Validate(); err != nil {
			t.Fatalf("seed %d: the generator made a wrong job: %v", seed, err)
		}
		checkRoundTrip(t, f, want)
	}
}

func checkRoundTrip(t *testing.T, f Format, want *Job) {
	t.Helper()
	text, err := want.Format(f)
	if err != nil {
		t.Fatalf("not written: %v", err)
	}
	got, err := Parse(f, text)
	if err != nil {
		t.Fatalf("not read again: %v\n%s", err, text)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("read again: (-want +got)\n%s\n%s", diff, text)
	}
	if again, _ := got.Format(f); string(again) != string(text) {
		t.Fatalf("written again:\n%s\nwant\n%s", again, text)
	}
}

func TestParseIsBounded(t *testing.T) {
	const size = 1 << 18
	repeat := func(s string) string { return strings.Repeat(s, size/len(s)) }
	for _, c := range []struct {
		name string
		f    Format
		text string
	}{
		{"nested sequences", YAML, repeat("[")},
		{"nested blocks", YAML, repeat("- ")},
		{"unknown names", YAML, "id: J\n" + repeat("x: 1\n")},
		{"aliases of aliases", YAML, aliasBomb()},
		{"an alias in itself", YAML, "id: &a [*a, *a]\n"},
		{"wide aliases", YAML, "x: &a [1,2,3,4,5,6,7,8,9,10]\nid: [" + repeat("*a, ") + "]\n"},
		{"many anchors", YAML, "id: [" + repeat("&a 1, ") + "]\n"},
		{"many comments", YAML, repeat("# x\n")},
		{"many documents", YAML, repeat("--- a\n")},
		{"nested vectors", EDN, repeat("[")},
		{"nested maps", EDN, repeat("{:a ")},
		{"nested tags", EDN, repeat("#a ")},
		{"nested discards", EDN, repeat("#_")},
		{"many discards", EDN, repeat("#_a ")},
		{"a long number", EDN, "{:id " + repeat("1") + "}"},
		{"a big exponent", EDN, "{:id 1e9999999M}"},
		{"a string without end", EDN, `"` + repeat(`\n`)},
		{"unknown keys", EDN, "{" + repeat(":x 1 ") + "}"},
		{"ignored keys", EDN, "{" + repeat(":db/id 1 ") + "}"},
		{"parts of transitions", EDN, "{" + repeat(":next/on 1 ") + "}"},
		{"nested elements", XML, repeat("<job>")},
		{"nested unknown elements", XML, "<job>" + repeat("<x>")},
		{"nested flows", XML, "<job>" + repeat("<flow>")},
		{"unknown elements", XML, "<job>" + repeat("<x/>") + "</job>"},
		{"unknown attributes", XML, "<job " + repeat("x='1' ") + "/>"},
		{"repeated attributes", XML, "<job " + repeat("id='1' ") + "/>"},
		{"namespaces", XML, "<job " + repeat("xmlns:a='1' ") + "/>"},
		{"entities", XML, `<!DOCTYPE job [<!ENTITY a "aaaa">]><job id="&a;"/>`},
		{"text", XML, "<job>" + repeat("x<step/>") + "</job>"},
		{"text without an end", XML, "<job>" + repeat("x<step/>")},
		{"nested elements", BPMN, repeat("<a>")},
		{"nested flows", BPMN, "<jsr352:job>" + repeat("<jsr352:flow>")},
		{"nested elements of others", BPMN, "<jsr352:job>" + repeat("<x>")},
		{"unknown elements", BPMN, "<jsr352:job>" + repeat("<jsr352:x/>") + "</jsr352:job>"},
		{"repeated attributes", BPMN, "<jsr352:job " + repeat("id='1' ") + "/>"},
		{"repeated ids", BPMN, "<a>" + repeat("<jsr352:end id='1'/>") + "</a>"},
		{"jobs", BPMN, "<a>" + repeat("<jsr352:job/>") + "</a>"},
		{"namespaces", BPMN, "<job " + repeat("xmlns:bpmn='1' ") + "/>"},
		{"arrows to nowhere", BPMN, "<jsr352:job>" + repeat("<bpmn:outgoing/>") + "</jsr352:job>"},
		{"entities", BPMN, `<!DOCTYPE job [<!ENTITY a "aaaa">]><jsr352:job id="&a;"/>`},
		{"text around it", BPMN, repeat("x<!---->") + "<jsr352:job/>"},
	} {
		t.Run(string(c.f)+" with "+c.name, func(t *testing.T) {
			_, err := Parse(c.f, []byte(c.text))
			wellFormed(t, err)
			if len(err.Error()) > 10_000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func aliasBomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x]\n")
	for i := range 40 {
		n := string(rune('0'+i/10)) + string(rune('0'+i%10))
		next := i + 1
		m := string(rune('0'+next/10)) + string(rune('0'+next%10))
		if i == 0 {
			b.WriteString("b: &b00 [*a0, *a0]\n")
		}
		b.WriteString("b" + m + ": &b" + m + " [*b" + n + ", *b" + n + "]\n")
	}
	return b.String()
}

func FuzzYAML(f *testing.F) { fuzzFormat(f, YAML) }
func FuzzEDN(f *testing.F)  { fuzzFormat(f, EDN) }
func FuzzXML(f *testing.F)  { fuzzFormat(f, XML) }
func FuzzBPMN(f *testing.F) { fuzzFormat(f, BPMN) }

// fuzzFormat reads the fuzzer's text. If it is a job, it must survive a round
// trip in all forms.
func fuzzFormat(f *testing.F, format Format) {
	for _, pattern := range []string{"testdata/*.", "testdata/written/*."} {
		files, _ := filepath.Glob(pattern + string(format))
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	for seed := range uint64(5) {
		g := newGenerator(seed)
		if format == BPMN {
			f.Add([]byte(g.drawJob(g.randomDrawable())))
			continue
		}
		text, err := g.randomJob().Format(format)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		j, err := Parse(format, data)
		if err != nil {
			wellFormed(t, err)
			return
		}
		for _, other := range formats {
			checkRoundTrip(t, other, j)
		}
	})
}
