package builtin

import (
	"fmt"
	"regexp"
	"strings"
)

// operators are ${value.NAME} and ${secret.NAME}.
var operators = regexp.MustCompile(valueOperator.String() + `|\$\{secret\.([A-Za-z_][A-Za-z0-9_]*)\}`)

// expandOperators replaces each ${value.NAME} and each ${secret.NAME} in a
// property as the job has it. used gets the secrets.
//
// Only the author of a job chooses secrets. Values come from the output of
// steps, and that from anywhere, so operators in them are text. A parameter has
// become a part of the property already: the property is refused if a parameter
// could be a part of the operator.
func (c *Config) expandOperators(p *properties, name, text string, used *[]string) string {
	if !strings.Contains(text, "${secret.") {
		return p.expandValues(text)
	}
	for parameter, v := range p.step.Parameters {
		risky := strings.Contains(v, "${") || strings.HasSuffix(v, "$") || strings.HasPrefix(v, "{")
		if risky && strings.Contains(text, v) {
			p.faults = append(p.faults, fmt.Sprintf("property %s: the parameter %s could choose a secret: want no $ or { in it", name, parameter))
			return ""
		}
	}
	return operators.ReplaceAllStringFunc(text, func(operator string) string {
		secret := operators.FindStringSubmatch(operator)[2]
		if secret == "" {
			return p.expandValues(operator)
		}
		value, ok := c.Secrets[secret]
		if !ok {
			p.faults = append(p.faults, fmt.Sprintf("property %s: this agent has no secret %s, want the variable %s%s in its environment", name, secret, SecretPrefix, secret))
			return ""
		}
		*used = append(*used, value)
		return value
	})
}

// SecretPrefix begins the names of the variables of an agent's environment that
// hold secrets.
const SecretPrefix = "JOBSTREAMER_SECRET_"

// SecretsFrom returns the secrets in an environment.
func SecretsFrom(env map[string]string) map[string]string {
	all := map[string]string{}
	for variable, value := range env {
		if name, ok := strings.CutPrefix(variable, SecretPrefix); ok && name != "" {
			all[name] = value
		}
	}
	return all
}
