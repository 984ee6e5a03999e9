package builtin

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// properties reads the properties of an artifact, and collects what is wrong
// with them.
type properties struct {
	step   *agent.StepContext
	known  map[string]bool
	faults []string
}

func newProperties(s *agent.StepContext) *properties {
	return &properties{step: s, known: map[string]bool{}}
}

// valueOperator is ${value.NAME}: a value that an earlier step has set.
var valueOperator = regexp.MustCompile(`\$\{value\.([a-z_][a-z0-9_]*)\}`)

// expandValues replaces each ${value.NAME} by that value, or by nothing if no
// earlier step has set it. It does not look into the values.
func (p *properties) expandValues(text string) string {
	return valueOperator.ReplaceAllStringFunc(text, func(operator string) string {
		return p.step.Values[valueOperator.FindStringSubmatch(operator)[1]]
	})
}

// fault records that a property is wrong. got is shortened.
func (p *properties) fault(name, want, got string) {
	p.faults = append(p.faults, fmt.Sprintf("property %s: want %s, got %.60q", name, want, got))
}

// has reports whether the step has the property.
func (p *properties) has(name string) bool {
	_, ok := p.step.Properties[name]
	return ok
}

// text returns a property, or the fallback if it is missing or empty.
func (p *properties) text(name, fallback string) string {
	return cmp.Or(p.expandValues(p.written(name)), fallback)
}

// written returns a property as the job has it, with its operators.
func (p *properties) written(name string) string {
	p.known[name] = true
	return p.step.Properties[name]
}

// requiredText returns a property that must not be missing or empty.
func (p *properties) requiredText(name, want string) string {
	text := p.text(name, "")
	if text == "" {
		p.fault(name, want, "")
	}
	return text
}

// duration returns a property such as 90s, or a number of seconds. With
// zeroAllowed, it may be 0.
func (p *properties) duration(name string, fallback time.Duration, zeroAllowed bool) time.Duration {
	text := p.text(name, "")
	if text == "" {
		return fallback
	}
	d, err := time.ParseDuration(text)
	if n, numErr := strconv.ParseUint(text, 10, 31); numErr == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d < 0 || d == 0 && !zeroAllowed {
		p.fault(name, "a duration such as 90s or 10m, or a number of seconds", text)
		return fallback
	}
	return d
}

// number returns a property that is a whole number between two limits.
func (p *properties) number(name string, fallback, least, most int) int {
	text := p.text(name, "")
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		p.fault(name, fmt.Sprintf("a number from %d to %d", least, most), text)
		return fallback
	}
	return n
}

// choice returns a property that has one of some values. The first is the
// default.
func (p *properties) choice(name string, allowed ...string) string {
	text := p.text(name, allowed[0])
	if !slices.Contains(allowed, text) {
		p.fault(name, "one of "+strings.Join(allowed, ", "), text)
		return allowed[0]
	}
	return text
}

// withPrefix returns the properties whose name begins with a prefix, by the
// rest of their name.
func (p *properties) withPrefix(prefix string) map[string]string {
	all := p.writtenWithPrefix(prefix)
	for name, value := range all {
		all[name] = p.expandValues(value)
	}
	return all
}

// writtenWithPrefix is withPrefix for properties as the job has them.
func (p *properties) writtenWithPrefix(prefix string) map[string]string {
	p.known[prefix+"NAME"] = true
	all := map[string]string{}
	for name, value := range p.step.Properties {
		if rest, ok := strings.CutPrefix(name, prefix); ok && rest != "" {
			p.known[name] = true
			all[rest] = value
		}
	}
	return all
}

// check returns an error that names all properties that are wrong or unknown.
func (p *properties) check() error {
	for _, name := range slices.Sorted(maps.Keys(p.step.Properties)) {
		if !p.known[name] {
			p.faults = append(p.faults, fmt.Sprintf("property %s: unknown, want %s", name, strings.Join(slices.Sorted(maps.Keys(p.known)), ", ")))
		}
	}
	if len(p.faults) > 0 {
		return fmt.Errorf("%s", strings.Join(p.faults, "; "))
	}
	return nil
}
