package jsl

import (
	"fmt"
	"strings"
	"testing"
)

func TestParseSecrets(t *testing.T) {
	for _, test := range []struct{ text, want, err string }{
		{" ", "[]", ""},
		{"DB_PASSWORD", "[{DB_PASSWORD DB_PASSWORD}]", ""},
		{" A ,\n\tB = A", "[{A A} {B A}]", ""},
		{"A,", "", `got ""`},
		{"A=B=C", "", `got "A=B=C"`},
		{"=A", "", `got "=A"`},
		{"A B", "", `got "A B"`},
		{"1A", "", `got "1A"`},
		{"jobstreamer_App=A", "", "want a variable that does not begin with JOBSTREAMER_, got jobstreamer_App"},
		{"A,B=X,A=X", "", "want each variable once, got A again"},
	} {
		got, err := ParseSecrets(test.text)
		if test.err != "" {
			if err == nil || !strings.Contains(err.Error(), test.err) {
				t.Errorf("ParseSecrets(%q): %v, want %s", test.text, err, test.err)
			}
		} else if fmt.Sprint(got) != test.want || err != nil {
			t.Errorf("ParseSecrets(%q) = %v, %v, want %s", test.text, got, err, test.want)
		}
	}
}

func TestSecretsOfAJob(t *testing.T) {
	job := func(unsafe, ofStep, ofBatchlet string) string {
		return `{"id":"J","unsafe_substitution":` + unsafe + `,"properties":{"p":"#{jobParameters['x']}"},"steps":[{"id":"S","properties":{` + ofStep +
			`},"batchlet":{"ref":"` + ShellBatchlet + `","properties":{"command":"ls"` + ofBatchlet + `}}}]}`
	}
	http := func(body string) string {
		return `{"id":"J","properties":{"p":"#{jobParameters['x']}"},"steps":[{"id":"S","batchlet":{"ref":"org.jobstreamer.batch.HttpBatchlet","properties":{"body":"` + body + `"}}}]}`
	}
	const path = "/steps/0/batchlet/properties/secrets: "
	const author = "only the author of a job chooses secrets"
	for _, test := range []struct{ name, job, want string }{
		{"names", job("false", ``, `,"secrets":"A,B=A"`), ""},
		{"of the step", job("false", `"secrets":"A-B"`, ``), "/steps/0/properties/secrets: want names of secrets"},
		{"of a step, hidden by the batchlet's", job("false", `"secrets":"A-B"`, `,"secrets":"A"`), ""},
		{"a parameter", job("false", ``, `,"secrets":"#{jobParameters['x']}"`), path + "want names of secrets without substitutions: " + author},
		{"a parameter in an unsafe job", job("true", ``, `,"secrets":"A#{jobParameters['x']}"`), path + "want names of secrets without substitutions: " + author},
		{"another substitution", job("false", ``, `,"secrets":"#{jobProperties['p']}"`), path + "want names of secrets without substitutions: " + author},
		{"a parameter in a name", job("true", ``, `,"sec#{jobParameters['x']}":"A"`), "/steps/0/batchlet/properties/sec#{jobParameters['x']}: want a name without job parameters: " + author},
		{"a value that is a parameter, under a name that may be it", job("true", ``, `,"#{jobProperties['q']}":"#{jobParameters['x']}"`), author},
		{"a parameter in a name that cannot be it", job("true", ``, `,"sec#{jobParameters['x']}0":"A"`), ""},
		{"a variable twice", job("false", `"env.B":"1"`, `,"secrets":"B=A"`), path + "want a variable that the step does not set by env.B, got B"},
		{"an operator", http("<${secret.A}> #{jobParameters['x']} ${value.b}"), ""},
		{"a parameter in an operator", http("${secret.#{jobParameters['x']}}"), "/steps/0/batchlet/properties/body: want ${secret.NAME} without substitutions in it: " + author},
		{"a parameter behind a part of a name", http("${secret.A_#{jobProperties['p']}}"), author},
		{"a parameter that is the operator", http("${#{jobParameters['x']}}"), author},
		{"another batchlet", `{"id":"J","steps":[{"id":"S","batchlet":{"ref":"x","properties":{"secrets":"#{jobParameters['x']}"}}}]}`, ""},
	} {
		_, err := ParseJSON([]byte(test.job))
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
		restored, err := Restore([]byte(test.job))
		if err != nil {
			t.Fatal(err)
		}
		if err := restored.CheckSecrets(); (err == nil) != (test.want == "") {
			t.Errorf("%s: agents say %v", test.name, err)
		}
	}
}
