package native

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/agent"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// ConditionDecider is the name of the built-in decider. The comment of the
// package describes its conditions.
const ConditionDecider = "org.jobstreamer.batch.ConditionDecider"

// otherwise is the condition that always holds.
const otherwise = "otherwise"

// conditions is the built-in decider.
type conditions struct {
	answers []answer
	context *agent.DecisionContext
}

// answer is an exit status and what must hold for it.
type answer struct {
	exitStatus string
	all        []comparison // empty: it always holds
}

// comparison compares a value with a pattern or a number.
type comparison struct {
	kind, name string // exit, step, status or param; the name of a step or a parameter
	operator   string // is, is not, <, <=, >, >=
	want       string
	number     float64 // want, for <, <=, > and >=
}

// readConditions parses the properties of a decision.
func readConditions(p jsl.Properties) (all []answer, err error) {
	for _, prop := range p {
		a := answer{exitStatus: prop.Name}
		if strings.TrimSpace(prop.Value) != otherwise {
			for text := range strings.SplitSeq(prop.Value, " and ") {
				one, err := parseComparison(strings.TrimSpace(text))
				if err != nil {
					return nil, fmt.Errorf("%s: %w", prop.Name, err)
				}
				a.all = append(a.all, one)
			}
		}
		all = append(all, a)
	}
	if len(all) == 0 {
		return nil, errors.New("want at least one property: an exit status with its condition")
	}
	return all, nil
}

var comparisonPattern = regexp.MustCompile(`^(exit|(step|status|param)\.(\S+)) +(is not|is|<=|<|>=|>)( +(\S.*))?$`)

func parseComparison(text string) (c comparison, err error) {
	m := comparisonPattern.FindStringSubmatch(text)
	if m == nil {
		return c, fmt.Errorf(`want a condition such as "exit is COMPLETED", "step.load is not 1?", "param.rows >= 1000" or "otherwise", got %.60q`, text)
	}
	c = comparison{kind: m[2], name: m[3], operator: m[4], want: m[6]}
	if c.kind == "" {
		c.kind = m[1]
	}
	if !strings.HasPrefix(c.operator, "is") {
		if c.number, err = strconv.ParseFloat(c.want, 64); err != nil {
			return c, fmt.Errorf("want a number after %s, got %.60q", c.operator, c.want)
		}
	}
	return c, nil
}

// Decide returns the exit status of the first property whose condition holds.
func (c conditions) Decide(_ context.Context, last []subjects.StepExecution) (string, error) {
	for _, a := range c.answers {
		holds, err := a.holds(c.context, last)
		if err != nil {
			return "", fmt.Errorf("%s: %w", a.exitStatus, err)
		}
		if holds {
			return a.exitStatus, nil
		}
	}
	return "", fmt.Errorf("none of its conditions holds, and none is %q", otherwise)
}

func (a *answer) holds(d *agent.DecisionContext, last []subjects.StepExecution) (bool, error) {
	for _, c := range a.all {
		if holds, err := c.holds(d, last); err != nil || !holds {
			return false, err
		}
	}
	return true, nil
}

// holds reports whether the comparison holds for each of its values.
func (c *comparison) holds(d *agent.DecisionContext, last []subjects.StepExecution) (bool, error) {
	for _, value := range c.values(d, last) {
		var holds bool
		switch c.operator {
		case "is":
			holds = jsl.Match(c.want, value)
		case "is not":
			holds = !jsl.Match(c.want, value)
		default:
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				return false, fmt.Errorf("want a number to compare with %s %s, got %.60q", c.operator, c.want, value)
			}
			holds = c.operator == "<" && n < c.number || c.operator == "<=" && n <= c.number ||
				c.operator == ">" && n > c.number || c.operator == ">=" && n >= c.number
		}
		if !holds {
			return false, nil
		}
	}
	return true, nil
}

// values returns what is compared. A step that never ran and a parameter that
// is not given have an empty text.
func (c *comparison) values(d *agent.DecisionContext, last []subjects.StepExecution) []string {
	switch c.kind {
	case "param":
		return []string{d.Parameters[c.name]}
	case "exit":
		var all []string
		for _, x := range last {
			all = append(all, x.ExitStatus)
		}
		if len(all) == 0 { // a restart begins at the decision, and no step that leads to it ran
			all = append(all, "")
		}
		return all
	}
	x, _ := d.StepExecution(c.name)
	if c.kind == "status" {
		return []string{strings.ToUpper(string(x.BatchStatus))}
	}
	return []string{x.ExitStatus}
}
