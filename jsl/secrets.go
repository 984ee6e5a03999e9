package jsl

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// secretsProperty is the property of a [ShellBatchlet] that names the secrets
// which its process gets.
const secretsProperty = "secrets"

// SecretVariable is a secret of an application that a process gets in a
// variable of its environment.
type SecretVariable struct{ Variable, Secret string }

// variableName is the pattern of variables, and of secrets
// (subjects.ValidSecretName).
var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// ParseSecrets reads the property secrets of a [ShellBatchlet]: names of
// secrets, or VARIABLE=NAME, with commas between them. White space around them
// does not count. A text of white space has none.
func ParseSecrets(text string) ([]SecretVariable, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var all []SecretVariable
	seen := map[string]bool{}
	for one := range strings.SplitSeq(text, ",") {
		one = strings.TrimSpace(one)
		variable, secret, renamed := strings.Cut(one, "=")
		if !renamed {
			secret = variable
		}
		variable, secret = strings.TrimSpace(variable), strings.TrimSpace(secret)
		switch {
		case !variableName.MatchString(variable) || !variableName.MatchString(secret):
			return nil, fmt.Errorf("want names of secrets or VARIABLE=NAME, of A-Z, a-z, 0-9 and _ with no digit at the beginning, with commas between them, got %.40q", one)
		case strings.HasPrefix(strings.ToUpper(variable), "JOBSTREAMER_"): // Windows ignores case
			return nil, fmt.Errorf("want a variable that does not begin with JOBSTREAMER_, got %.140s", variable)
		case seen[variable]:
			return nil, fmt.Errorf("want each variable once, got %s again", variable)
		}
		seen[variable] = true
		all = append(all, SecretVariable{variable, secret})
	}
	return all, nil
}

// CheckSecrets returns nil or an [Errors] with all faults in the properties
// secrets of a job before [Job.Resolve]. [Job.Validate] includes them. An agent
// checks them too: no bus that stored the job may have known the property.
func (j *Job) CheckSecrets() error {
	v := newValidator(asWritten)
	v.checkSecrets(j)
	return v.faultsOrNil()
}

// checkSecrets checks which secrets the steps of a job ask for. Only the author
// of a job chooses them: whoever may start it must not read all secrets of the
// application by a parameter. So the property has no substitutions, also if the
// job has UnsafeSubstitution.
func (v *validator) checkSecrets(j *Job) {
	outer := traceProperties(j.Properties, nil, nil)
	j.Walk(func(path string, e Element) {
		s, ok := e.(*Step)
		if !ok || s.Batchlet == nil {
			return
		}
		if canBecome(s.Batchlet.Ref, httpBatchlet) {
			v.checkSecretOperators(path+"/batchlet/properties", s.Batchlet.Properties)
		}
		if !canBecome(s.Batchlet.Ref, ShellBatchlet) {
			return
		}
		plan := tracePlan(s, outer)
		step := traceProperties(s.Properties, outer, plan)
		batchlet := traceProperties(s.Batchlet.Properties, step, plan)
		ofStep, ofBatchlet := path+"/properties", path+"/batchlet/properties"
		if text, ok := s.Batchlet.Properties.Get(secretsProperty); ok {
			v.checkSecretNames(memberPath(ofBatchlet, secretsProperty), text, s)
		} else if text, ok := s.Properties.Get(secretsProperty); ok {
			v.checkSecretNames(memberPath(ofStep, secretsProperty), text, s)
		}
		v.checkSecretTraces(ofStep, step)
		v.checkSecretTraces(ofBatchlet, batchlet)
	})
}

// httpBatchlet is the batchlet whose properties may hold ${secret.NAME}.
const httpBatchlet = "org.jobstreamer.batch.HttpBatchlet"

// chosenSecret is ${secret.NAME} with a substitution in it.
var chosenSecret = regexp.MustCompile(`\$\{(?:s|se|sec|secr|secre|secret|secret\.[^}]*)?#\{`)

func (v *validator) checkSecretOperators(path string, properties Properties) {
	for _, p := range properties {
		if chosenSecret.MatchString(p.Value) && hasOperator(p.Value, "") {
			v.reportFault(memberPath(path, p.Name), "${secret.NAME} without substitutions in it: only the author of a job chooses secrets", shownText(p.Value))
		}
	}
}

func (v *validator) checkSecretNames(path, text string, s *Step) {
	if hasOperator(text, "") {
		v.reportFault(path, "names of secrets without substitutions: only the author of a job chooses secrets", shownText(text))
		return
	}
	all, err := ParseSecrets(text)
	if err != nil {
		want, got, _ := strings.Cut(strings.TrimPrefix(err.Error(), "want "), ", got ")
		v.reportFault(path, want, got)
		return
	}
	for _, one := range all {
		for _, p := range []Properties{s.Properties, s.Batchlet.Properties} {
			if _, twice := p.Get("env." + one.Variable); twice {
				v.reportFault(path, "a variable that the step does not set by env."+one.Variable, one.Variable)
			}
		}
	}
}

// checkSecretTraces refuses properties that a parameter can make to the property
// secrets.
func (v *validator) checkSecretTraces(path string, t *traces) {
	for _, p := range t.named {
		at := memberPath(path, p.name)
		known := slices.ContainsFunc(v.faults, func(f FieldError) bool { return f.Path == at })
		if p.found != nil && canBecome(p.name, secretsProperty) && strings.HasSuffix(secretsProperty, lastText(p.name)) && !known {
			v.reportFault(at, "a name without job parameters: only the author of a job chooses secrets", firstRunes(p.found.operator, maxGot))
		}
	}
}

// lastText returns what follows the last operator of a text.
func lastText(value string) (last string) {
	for p := range splitOperators(value) {
		if last = p.text; p.operator != "" {
			last = ""
		}
	}
	return last
}
