package jsl

import (
	"errors"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

func TestShellTexts(t *testing.T) {
	step := func(members string) string { return `{"id":"J","steps":[{"id":"S",` + members + `}]}` }
	shell := func(properties string) string {
		return step(`"batchlet":{"ref":"` + ShellBatchlet + `","properties":{` + properties + `}}`)
	}
	const instead = ` instead of the job parameter, whose text the shell would run as code, or unsafe_substitution: true, got `
	const ofWho = `want "$JOBSTREAMER_PARAM_WHO"` + instead
	sqlStep := func(properties string) string {
		return step(`"batchlet":{"ref":"` + SQLBatchlet + `","properties":{` + properties + `}}`)
	}
	chunkStep := func(reader, ofReader, writer, ofWriter string) string {
		return step(`"chunk":{"reader":{"ref":"` + reader + `","properties":{` + ofReader + `}},"writer":{"ref":"` + writer + `","properties":{` + ofWriter + `}}}`)
	}
	const asBind = "want a name such as :value, with the parameter in the property bind.value, instead of the job parameter, " +
		"whose text the database would run as code, or unsafe_substitution: true, got "
	place := regexp.MustCompile(` \(line \d+, column \d+\)$`)
	for _, c := range []struct{ name, job, want string }{
		{"a parameter in a command", shell(`"command":"echo #{jobParameters['who']}"`),
			"/steps/0/batchlet/properties/command: " + ofWho + "#{jobParameters['who']}"},
		{"a parameter in the short form", step(`"command":"echo #{jobParameters['who']}"`),
			"/steps/0/command: " + ofWho + "#{jobParameters['who']}"},
		{"a parameter in a script", shell(`"script":"#{jobParameters['who']}.sh"`),
			"/steps/0/batchlet/properties/script: " + ofWho + "#{jobParameters['who']}"},
		{"the variable of a parameter", shell(`"command":"echo $JOBSTREAMER_PARAM_WHO"`), ""},
		{"a parameter where it is allowed", `{"id":"J","unsafe_substitution":true,"steps":[{"id":"S","command":"echo #{jobParameters['who']}"}]}`, ""},
		{"a parameter with false", `{"id":"J","unsafe_substitution":false,"steps":[{"id":"S","command":"#{jobParameters['a.b']}"}]}`,
			`/steps/0/command: want "$JOBSTREAMER_PARAM_A_B"` + instead + "#{jobParameters['a.b']}"},
		{"a parameter as a default", shell(`"command":"echo #{jobProperties['none']}?:#{jobParameters['who']};"`),
			"/steps/0/batchlet/properties/command: " + ofWho + "#{jobParameters['who']}"},
		{"parameters elsewhere", shell(`"args":"#{jobParameters['who']}","dir":"#{jobParameters['who']}","env.A":"#{jobParameters['who']}","command":"ls"`), ""},
		{"other values in a command", `{"id":"J","properties":{"dir":"/in"},"steps":[{"id":"S","command":"ls #{jobProperties['dir']} #{systemProperties['os.name']} #{partitionPlan['a']}"}]}`, ""},
		{"a property of the job that is a parameter",
			`{"id":"J","properties":{"a":"#{jobParameters['who']}","b":"<#{jobProperties['a']}>"},"steps":[{"id":"F","steps":[{"id":"S","command":"echo #{jobProperties['b']}"}]}]}`,
			"/steps/0/steps/0/command: " + ofWho + "#{jobProperties['b']}"},
		{"an inner property hides an outer one",
			`{"id":"J","properties":{"a":"#{jobParameters['who']}"},"steps":[{"id":"S","properties":{"a":"1"},"command":"echo #{jobProperties['a']}"}]}`, ""},
		{"a later property is not seen",
			`{"id":"J","steps":[{"id":"S","batchlet":{"ref":"` + ShellBatchlet + `","properties":{"command":"echo #{jobProperties['a']}","a":"#{jobParameters['who']}"}}}]}`, ""},
		{"a property of the step in place of the batchlet's", step(`"properties":{"command":"echo #{jobParameters['who']}"},"batchlet":{"ref":"` + ShellBatchlet + `"}`),
			"/steps/0/properties/command: " + ofWho + "#{jobParameters['who']}"},
		{"a property of the step that the batchlet's hides",
			step(`"properties":{"command":"echo #{jobParameters['who']}"},"batchlet":{"ref":"` + ShellBatchlet + `","properties":{"command":"ls"}}`), ""},
		{"a partition plan", step(`"command":"echo #{partitionPlan['p']}","partition":{"plan":{"partitions":2,"properties":[
			{"partition":0,"properties":{"p":"x"}},{"partition":1,"properties":{"p":"#{jobParameters['who']}"}}]}}`),
			"/steps/0/command: " + ofWho + "#{partitionPlan['p']}"},
		{"a property that is a partition plan", step(`"properties":{"q":"#{partitionPlan['p']}"},"command":"echo #{jobProperties['q']}","partition":{"plan":{"properties":[
			{"partition":0,"properties":{"p":"#{jobParameters['who']}"}}]}}`),
			"/steps/0/command: " + ofWho + "#{jobProperties['q']}"},
		{"a name that is a parameter", shell(`"#{jobParameters['who']}":"ls"`),
			"/steps/0/batchlet/properties/#{jobParameters['who']}: " + ofWho + "#{jobParameters['who']}"},
		{"a variable whose name is a parameter", shell(`"command":"ls","env.#{jobParameters['who']}":"x"`),
			"/steps/0/batchlet/properties/env.#{jobParameters['who']}: " + ofWho + "#{jobParameters['who']}"},
		{"a name that cannot become a command", shell(`"command":"ls","x#{jobParameters['who']}":"x"`), ""},
		{"a reference that can become the batchlet", step(`"batchlet":{"ref":"org.#{jobParameters['r']}","properties":{"command":"#{jobParameters['who']}"}}`),
			"/steps/0/batchlet/properties/command: " + ofWho + "#{jobParameters['who']}"},
		{"a reference that cannot", step(`"batchlet":{"ref":"com.#{jobParameters['r']}","properties":{"command":"#{jobParameters['who']}"}}`), ""},
		{"a parameter in an SQL statement", sqlStep(`"sql":"delete from t where id = #{jobParameters['id']}"`),
			"/steps/0/batchlet/properties/sql: " + asBind + "#{jobParameters['id']}"},
		{"a parameter as a value of a statement", sqlStep(`"sql":"delete from t where id = :id","bind.id":"#{jobParameters['id']}"`), ""},
		{"a name that can become the statement", sqlStep(`"#{jobParameters['id']}":"x"`),
			"/steps/0/batchlet/properties/#{jobParameters['id']}: " + asBind + "#{jobParameters['id']}"},
		{"a property of a step is no statement", step(`"properties":{"sql":"#{jobParameters['id']}"},"batchlet":{"ref":"` + SQLBatchlet + `"}`), ""},
		{"a parameter in the query of a reader", chunkStep(SQLReader, `"sql":"select * from #{jobParameters['t']}"`, "w", ""),
			"/steps/0/chunk/reader/properties/sql: " + asBind + "#{jobParameters['t']}"},
		{"a parameter in the statement of a writer", chunkStep("r", "", SQLWriter, `"sql":"insert into #{jobParameters['t']} values (:a)"`),
			"/steps/0/chunk/writer/properties/sql: " + asBind + "#{jobParameters['t']}"},
		{"a parameter that chooses the reader", chunkStep("#{jobParameters['r']}", `"sql":"#{jobParameters['t']}"`, "w", ""),
			"/steps/0/chunk/reader/properties/sql: " + asBind + "#{jobParameters['t']}"},
		{"a parameter as a value of a query", chunkStep(SQLReader, `"sql":"select :a","bind.a":"#{jobParameters['a']}"`, "w", ""), ""},
		{"a reader of another kind", chunkStep("r", `"sql":"#{jobParameters['t']}"`, "w", ""), ""},
		{"another batchlet", step(`"batchlet":{"ref":"example.Batchlet","properties":{"command":"#{jobParameters['who']}"}}`), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if _, err := ParseJSON([]byte(c.job)); err != nil {
				got = place.ReplaceAllString(err.Error(), "")
			}
			if got != c.want {
				t.Errorf("ParseJSON:\n%s\nwant\n%s", got, c.want)
			}
		})
	}
	t.Run("a fault has its place in each form", func(t *testing.T) {
		for form, text := range map[Format]string{
			JSON: "{\"id\":\"J\",\"steps\":[{\"id\":\"S\",\n\"command\":\"#{jobParameters['a']}\"}]}",
			YAML: "id: J\nsteps: [{id: S, command: \"#{jobParameters['a']}\"}]\n",
			EDN:  "{:id \"J\" :steps [{:id \"S\"\n :command \"#{jobParameters['a']}\"}]}",
			XML: "<job id='J'><step id='S'><batchlet ref='" + ShellBatchlet + "'><properties>\n" +
				"<property name='command' value=\"#{jobParameters['a']}\"/></properties></batchlet></step></job>",
		} {
			var faults Errors
			if _, err := Parse(form, []byte(text)); !errors.As(err, &faults) || len(faults) != 1 || faults[0].Line != 2 {
				t.Errorf("%s: %v, want one fault in line 2", form, err)
			}
		}
	})
	t.Run("a stored job still runs", func(t *testing.T) {
		j, err := Restore([]byte(shell(`"command":"echo #{jobParameters['who']}"`)))
		if err != nil {
			t.Fatal(err)
		}
		j, err = j.Resolve(map[string]string{"who": "you"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, _ := j.Elements[0].(*Step).Batchlet.Properties.Get("command"); got != "echo you" {
			t.Errorf("command: %q, want %q", got, "echo you")
		}
	})
	t.Run("a diagram is read without this rule", func(t *testing.T) {
		j, err := Parse(BPMN, []byte(`<jsr352:job id="J"><jsr352:step id="S"><jsr352:batchlet ref="`+ShellBatchlet+`"><bpmn:extensionElements>`+
			`<camunda:property name="command" value="#{jobParameters[&#39;who&#39;]}"/></bpmn:extensionElements></jsr352:batchlet></jsr352:step></jsr352:job>`))
		if err != nil {
			t.Fatal(err)
		}
		if j.Validate() == nil {
			t.Error("Validate accepts the job")
		}
	})
}

// TestShellTextsHoldNoParameter compares the rule with the substitution: in a
// job that the rule accepts, no parameter gets into a command.
func TestShellTextsHoldNoParameter(t *testing.T) {
	const value = "PARAMETER"
	refused, reached := 0, 0
	for seed := range seedCount(3_000, 200_000) {
		j := shellJob(rand.New(rand.NewPCG(seed, 2)))
		err := j.Validate()
		if err != nil {
			refused++
		}
		for _, params := range []map[string]string{{"n": value}, {"n": "command", "m": value}, {"n": "a", "m": value}} {
			text, runs := shellTextOf(j, params)
			if !runs || !strings.Contains(text, value) {
				continue
			}
			reached++
			if err == nil {
				b, _ := j.MarshalJSON()
				t.Fatalf("seed %d: with %v the shell runs %q:\n%s", seed, params, text, b)
			}
		}
	}
	if reached < 100 || refused > 2_900 {
		t.Errorf("%d jobs with a parameter in a command, %d refused: the jobs show nothing", reached, refused)
	}
}

// shellJob returns a random job of one step that runs a shell.
func shellJob(g *rand.Rand) *Job {
	pick := func(from ...string) string { return from[g.IntN(len(from))] }
	properties := func() (p Properties) {
		seen := map[string]bool{}
		for range g.IntN(4) {
			name := pick("command", "script", "a", "b", "#{jobProperties['a']}", "#{jobParameters['n']}", "c#{jobProperties['b']}")
			if seen[name] {
				continue
			}
			seen[name] = true
			p = append(p, Property{name, pick("x", "command", "ommand", "#{jobProperties['a']}", "<#{jobProperties['b']}>?:y;", "#{jobParameters['n']}",
				"#{jobParameters['m']}", "#{partitionPlan['a']}", "#{jobProperties['c']}?:#{partitionPlan['b']};")})
		}
		return p
	}
	s := &Step{ID: "S", Properties: properties(), Batchlet: &Artifact{Ref: ShellBatchlet, Properties: properties()}}
	if g.IntN(2) == 0 {
		s.Partition = &Partition{Plan: &Plan{Properties: []PartitionProperties{{Partition: "0", Properties: properties()}}}}
	}
	return &Job{ID: "J", Properties: properties(), Elements: []Element{s}}
}

// shellTextOf returns what the shell would run, as an agent finds it out.
func shellTextOf(j *Job, params map[string]string) (text string, runs bool) {
	resolved, err := j.Resolve(params, nil)
	if err != nil {
		return "", false
	}
	s := resolved.Elements[0].(*Step)
	if s.Partition != nil {
		if s, err = s.ResolvePartition(s.Partition.Plan.Properties[0].Properties); err != nil {
			return "", false
		}
	}
	for _, name := range shellTexts {
		v, ok := s.Batchlet.Properties.Get(name)
		if !ok {
			v, _ = s.Properties.Get(name)
		}
		text += v + "\n"
	}
	return text, true
}
