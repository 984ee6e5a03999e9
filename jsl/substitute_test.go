package jsl

import (
	"strings"
	"testing"
)

func TestSubstitute(t *testing.T) {
	values := map[string]string{
		"jobParameters a": "A", "jobParameters b": "B", "jobParameters semi": "x;y", "jobParameters operator": "#{jobParameters['a']}",
		"systemProperties file.separator": "/", "jobProperties p": "P", "jobParameters it's": "quote",
	}
	for _, c := range []struct{ name, in, want string }{
		{"text is itself", "plain ?: text;", "plain ?: text;"},
		{"an operator has its value", "#{jobParameters['a']}", "A"},
		{"operators and text are joined", "x#{jobParameters['a']}-#{jobProperties['p']}#{systemProperties['file.separator']}", "xA-P/"},
		{"an unknown name is empty", "<#{jobParameters['none']}>", "<>"},
		{"a default is not used if there is a value", "#{jobParameters['a']}?:d;", "A"},
		{"a default is used if there is none", "#{jobParameters['none']}?:d;.txt", "d.txt"},
		{"a default may be empty", "#{jobParameters['none']}?:;x", "x"},
		{"a default may hold operators", "#{jobParameters['none']}?:<#{jobParameters['b']}>;", "<B>"},
		{"defaults may have defaults", "#{jobParameters['none']}?:#{jobParameters['no']}?:deep;er;!", "deeper!"},
		{"a dropped default takes its own defaults with it", "#{jobParameters['a']}?:#{jobParameters['no']}?:deep;er;!", "A!"},
		{"several defaults as in the specification",
			"#{jobParameters['unresolving.prop']}?:#{systemProperties['file.separator']};#{jobParameters['infile.name']}?:#{systemProperties['file.name.junit']};.txt", "/.txt"},
		{"a default that does not end runs to the end", "#{jobParameters['none']}?:rest #{jobParameters['a']}", "rest A"},
		{"a default that is not needed and does not end", "#{jobParameters['a']}?:rest #{jobParameters['b']}", "A"},
		{"a semicolon outside of a default is text", "a;#{jobParameters['a']};", "a;A;"},
		{"a value with a semicolon ends no default", "#{jobParameters['none']}?:#{jobParameters['semi']}z;", "x;yz"},
		{"operators in a value are data", "#{jobParameters['operator']}", "#{jobParameters['a']}"},
		{"a name may hold a quote", "#{jobParameters['it's']}", "quote"},
		{"an unknown operator is text", "#{env['HOME']}", "#{env['HOME']}"},
		{"an operator needs quotes", "#{jobParameters[a]}", "#{jobParameters[a]}"},
		{"an operator needs its end", "#{jobParameters['a'", "#{jobParameters['a'"},
		{"text that begins like an operator", "#{#{jobParameters['a']}", "#{A"},
		{"a deferred operator stays", "x#{partitionPlan['n']}y", "x#{partitionPlan['n']}y"},
		{"a deferred operator keeps its default", "#{partitionPlan['n']}?:<#{jobParameters['a']}>;y", "#{partitionPlan['n']}?:<A>;y"},
		{"a deferred operator in a dropped default", "#{jobParameters['a']}?:#{partitionPlan['n']}?:x;y;z", "Az"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var b strings.Builder
			substituteValue(c.in, func(operator, name string) (string, bool) {
				if operator == partitionPlan {
					return "#{partitionPlan['" + name + "']}", true
				}
				return values[operator+" "+name], false
			}, &b)
			if b.String() != c.want {
				t.Errorf("substitute(%q) = %q, want %q", c.in, b.String(), c.want)
			}
		})
	}
}

func TestPiecesAreTheWholeValue(t *testing.T) {
	g := newGenerator(1)
	parts := append([]string{"#{jobParameters['a']}", "#{", "['", "']}", "#{partitionPlan['", "jobProperties", "?:"}, strange...)
	for range 2000 {
		var value, got strings.Builder
		for range g.IntN(8) {
			value.WriteString(pickOne(g, parts...))
		}
		for p := range splitOperators(value.String()) {
			got.WriteString(p.text)
			if p.fallback {
				got.WriteString("?:")
			}
		}
		if got.String() != value.String() {
			t.Fatalf("pieces of %q are %q", value.String(), got.String())
		}
	}
}

// Parameters are found in every attribute and every form.
func TestParameters(t *testing.T) {
	t.Run("of each attribute once, in order", func(t *testing.T) {
		j := mustParse(t, `{"id":"J","restartable":"#{jobParameters['r']}","properties":{"a":"#{jobParameters['who']}?:#{jobParameters['else']};"},
			"listeners":[{"ref":"#{jobParameters['listener']}"}],"steps":[
			{"id":"s","next":"#{jobParameters['next']}","start_limit":"#{jobParameters['limit']}","batchlet":{"ref":"b","properties":{"c":"x#{jobParameters['b']}-#{jobParameters['who']}-#{systemProperties['x']}"}},
			 "partition":{"plan":{"partitions":"#{jobParameters['n']}","properties":[{"partition":0,"properties":{"p":"#{jobParameters['plan.p']}"}}]}},
			 "transitions":[{"stop":{"on":"#{jobParameters['on']}","exit_status":"#{jobParameters['exit']}","restart":"#{jobParameters['again']}"}}]},
			{"id":"p","flows":[{"id":"f","steps":[{"id":"t","chunk":{"reader":{"ref":"r"},"writer":{"ref":"w"},"skippable_exception_classes":{"include":["#{jobParameters['class']}"]}}}]}]},
			{"id":"d","decision":{"ref":"#{jobParameters['decider']}"}}]}`)
		want := "again b class decider else exit limit listener n next on plan.p r who"
		for _, f := range formats {
			text, err := j.Format(f)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Parse(f, text)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(again.Parameters(), " "); got != want {
				t.Errorf("Parameters() of %s = %s, want %s", f, got, want)
			}
		}
	})
	t.Run("of a diagram", func(t *testing.T) {
		j, err := Parse(BPMN, []byte(`<jsr352:job id="J"><jsr352:step id="s"><jsr352:batchlet ref="#{jobParameters[&#39;ref&#39;]}">
			<bpmn:extensionElements><camunda:property name="a" value="#{jobParameters[&#39;run-date&#39;]}?:x;"/></bpmn:extensionElements>
			</jsr352:batchlet></jsr352:step></jsr352:job>`))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Join(j.Parameters(), " "), "ref run-date"; got != want {
			t.Errorf("Parameters() = %s, want %s", got, want)
		}
	})
}
