package builtin

import (
	"fmt"
	"regexp"
	"strings"
)

// secretOperator is ${secret.NAME}: a secret that the agent has.
var secretOperator = regexp.MustCompile(`\$\{secret\.([A-Za-z_][A-Za-z0-9_]*)\}`)

// expandSecrets replaces each ${secret.NAME} in the value of a property. used
// gets the secrets.
//
// A person who may start a job, but not write it, must not reach a secret. So a
// value is refused if one of the parameters in it could be a part of the
// operator.
func (c *Config) expandSecrets(p *properties, name, text string, used *[]string) string {
	if !strings.Contains(text, "${secret.") {
		return text
	}
	for parameter, v := range p.step.Parameters {
		risky := strings.Contains(v, "${") || strings.HasSuffix(v, "$") || strings.HasPrefix(v, "{")
		if risky && strings.Contains(text, v) {
			p.faults = append(p.faults, fmt.Sprintf("property %s: the parameter %s could choose a secret: want no $ or { in it", name, parameter))
			return ""
		}
	}
	return secretOperator.ReplaceAllStringFunc(text, func(operator string) string {
		secret := secretOperator.FindStringSubmatch(operator)[1]
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
