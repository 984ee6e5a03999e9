package jsl

import (
	"regexp"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		name, on, exit string
		want           bool
	}{
		{"the same text", "COMPLETED", "COMPLETED", true},
		{"other text", "COMPLETED", "FAILED", false},
		{"the beginning is not enough", "COMP", "COMPLETED", false},
		{"more is too much", "COMPLETED!", "COMPLETED", false},
		{"a star is anything", "*", "COMPLETED", true},
		{"a star is nothing", "*", "", true},
		{"nothing matches nothing", "", "", true},
		{"nothing does not match something", "", "x", false},
		{"a question mark is one character", "RC?", "RC4", true},
		{"a question mark is not nothing", "RC?", "RC", false},
		{"a question mark is a character, not a byte", "?", "日", true},
		{"stars around", "*ERR*", "AN ERROR", true},
		{"a star goes back", "*ab", "aab", true},
		{"both", "a*?b", "a--b", true},
		{"case counts", "failed", "FAILED", false},
		{"a star in the status is text", "a", "*", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Match(c.on, c.exit); got != c.want {
				t.Errorf("Match(%q, %q) = %v, want %v", c.on, c.exit, got, c.want)
			}
		})
	}
}

func TestMatchIsWhatTheRegexpSays(t *testing.T) {
	g := newGenerator(1)
	for range 20_000 {
		var on, exit strings.Builder
		for range g.IntN(6) {
			on.WriteString(pickOne(g, "a", "b", "*", "?", "日", "."))
		}
		for range g.IntN(6) {
			exit.WriteString(pickOne(g, "a", "b", "日", ".", "*"))
		}
		re := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(on.String()))
		want := regexp.MustCompile("^(?s:" + re + ")$").MatchString(exit.String())
		if got := Match(on.String(), exit.String()); got != want {
			t.Fatalf("Match(%q, %q) = %v, want %v", on.String(), exit.String(), got, want)
		}
	}
}

func TestMatchIsBounded(t *testing.T) {
	if Match(strings.Repeat("*a", 1000)+"b", strings.Repeat("a", 10_000)) {
		t.Error("a text without b matches")
	}
}

func TestAfter(t *testing.T) {
	step := func(next string, transitions ...Transition) *Step {
		return &Step{ID: "S", Next: next, Transitions: transitions}
	}
	next := Transition{Action: Next, On: "GO*", To: "T"}
	end := Transition{Action: End, On: "*", ExitStatus: "DONE"}
	for _, c := range []struct {
		name   string
		e      Element
		exit   string
		failed bool
		want   Transition
		ok     bool
	}{
		{"the first match wins", step("", next, end), "GO1", false, next, true},
		{"those before it do not matter", step("", next, end), "STAY", false, end, true},
		{"the attribute next if none matches", step("U", next), "STAY", false, Transition{Action: Next, To: "U"}, true},
		{"an element beats the attribute", step("U", next), "GO", false, next, true},
		{"nothing: the scope is done", step(""), "COMPLETED", false, Transition{}, false},
		{"a failed step is matched as well", step("", Transition{Action: Next, On: "FAILED", To: "R"}), "FAILED", true, Transition{Action: Next, On: "FAILED", To: "R"}, true},
		{"a failed step without a match fails the job, whatever is next", step("U", next), "FAILED", true, Transition{Action: Fail}, true},
		{"a flow", &Flow{ID: "F", Next: "U", Transitions: []Transition{next}}, "GO", false, next, true},
		{"a split has its attribute only", &Split{ID: "P", Next: "U"}, "GO", false, Transition{Action: Next, To: "U"}, true},
		{"a decision is matched", &Decision{ID: "D", Transitions: []Transition{next}}, "GO", false, next, true},
		{"a decision without a match fails the job", &Decision{ID: "D", Transitions: []Transition{next}}, "STAY", false, Transition{Action: Fail}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := After(c.e, c.exit, c.failed)
			if got != c.want || ok != c.ok {
				t.Errorf("After(%q, failed %v) = %+v, %v, want %+v, %v", c.exit, c.failed, got, ok, c.want, c.ok)
			}
		})
	}
}
