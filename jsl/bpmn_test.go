package jsl

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The tests of all forms, diagrams included, are in format_test.go and
// bombs_test.go.

func TestBPMN(t *testing.T) {
	t.Run("each diagram gives its golden job or faults", func(t *testing.T) {
		compareGoldens(t, "testdata/*.bpmn", func(data []byte) (*Job, error) { return Parse(BPMN, data) })
	})
	t.Run("a job that is drawn and read is the same job", func(t *testing.T) {
		for seed := range seedCount(60, 300) {
			g := newGenerator(seed)
			want := g.randomDrawable()
			allowed := *want
			allowed.UnsafeSubstitution = true // which a diagram cannot have
			if err := allowed.Validate(); err != nil {
				t.Fatalf("seed %d: the generator made a wrong job: %v", seed, err)
			}
			drawn := g.drawJob(want)
			got, err := Parse(BPMN, []byte(drawn))
			if err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, drawn)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("seed %d: (-drawn +read)\n%s\n%s", seed, diff, drawn)
			}
		}
	})
	t.Run("a byte order mark is not part of the text", func(t *testing.T) {
		if _, err := Parse(BPMN, []byte("\ufeff<jsr352:job id='J'><jsr352:step id='S'/></jsr352:job>")); err != nil {
			t.Error(err)
		}
	})
	t.Run("nothing is a fault", func(t *testing.T) {
		for _, text := range []string{"", " \n", "\x00", "\xff", "<bpmn:definitions/>"} {
			_, err := Parse(BPMN, []byte(text))
			wellFormed(t, err)
		}
	})
}
