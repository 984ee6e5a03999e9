package builtin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/agent"
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
func (c *Config) expandOperators(ctx context.Context, p *properties, name, text string, used *[]string) string {
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
		value, err := c.findSecret(ctx, p.step, secret)
		if err != nil {
			p.faults = append(p.faults, fmt.Sprintf("property %s: %v", name, err))
			return ""
		}
		*used = append(*used, value)
		return value
	})
}

// findSecret returns a secret of the application, or of the agent if the
// application has none of that name. The one of the application wins: it is the
// narrower of the two, and who may set it knows its jobs. If no control bus
// answers, the step fails; it does not send the agent's secret instead, which
// may be another account.
func (c *Config) findSecret(ctx context.Context, s *agent.StepContext, name string) (string, error) {
	value, err := s.Secret(ctx, name)
	if err == nil {
		return value, nil
	}
	missing, ok := errors.AsType[*agent.MissingSecretsError](err)
	if !ok {
		return "", err
	}
	if value, ok := c.Secrets[name]; ok {
		s.Secrets.Hide(name, value) // an answer may repeat it, and so values for later steps
		return value, nil
	}
	return "", fmt.Errorf("neither the application nor this agent has a secret %s: jobstreamer secret set %s --app %s, or the variable %s%s in the agent's environment", name, name, cmp.Or(missing.App, "NAME"), SecretPrefix, name)
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
