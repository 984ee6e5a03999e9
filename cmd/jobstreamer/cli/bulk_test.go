package cli

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

var stableTimes = regexp.MustCompile(`20(2|0)\d-\d\d-\d\dT[\d:.]+(Z|-00:00)`)

var changeTimes = regexp.MustCompile(`(?m)^(Changed +).*`)

// TestManyNames records the output of commands with several names in one file.
func TestManyNames(t *testing.T) {
	e, _ := withBus(t)
	for _, job := range []string{"day", "night-1", "night-2", "night-3"} {
		e.applyFiles(t, job, "Noop")
	}
	var all strings.Builder
	for _, c := range []struct{ line, in string }{
		{"run night-* --dry-run", ""}, {"run night-* day", ""}, {"run none day", ""}, {"run x*", ""}, {"run [", ""}, {"run -", "day\n\n day \nnight-1\n"}, {"run -", ""}, {"run day night-1 --follow", ""},
		{"run day night-1 --idempotency-key k", ""}, {"run night-1 -o json --dry-run", ""},
		{"execution stop night-* --dry-run", ""}, {"execution stop day", ""}, {"execution stop day", ""}, {"execution stop night-1", ""}, {"execution stop 3 99 -", "2\n"},
		{"execution abandon n*", ""}, {"execution abandon n* --yes", ""}, {"execution abandon n* --yes", ""}, {"execution restart d* n*", ""}, {"execution restart x", ""}, {"execution restart day", ""},
		{"schedule list", ""}, {"schedule pause *", ""}, {"schedule set night-1 0%0%2%1%1%?%2199 --timezone Europe/Berlin", ""}, {"schedule set night-2 0%0%1%1%1%?%2199", ""}, {"schedule set day 0%0%3%1%1%?%2199", ""},
		{"schedule pause d* night-3 --reason inventory", ""}, {"schedule list", ""}, {"schedule list n* -o wide", ""}, {"schedule list --paused", ""}, {"schedule list day --paused -o yaml", ""}, {"schedule list night-3", ""}, {"schedule list none", ""},
		{"schedule set day 0%0%4%1%1%?%2199 --name month-end", ""}, {"schedule list d*", ""}, {"schedule show day --name none", ""},
		{"schedule set day 0%0%4%1%1%?%2199 --name month-end --pool linux", ""}, {"schedule show day --name month-end", ""}, {"schedule set day 0%0%4%1%1%?%2199 --name month-end --pool a.b", ""},
		{"schedule pause d* night-1 --name month-end", ""}, {"job list day", ""}, {"schedule preview day --name month-end", ""}, {"schedule fires day --name month-end", ""},
		{"schedule delete day --name month-end --yes", ""}, {"schedule pause day --name a.b", ""},
		{"schedule resume * --dry-run", ""}, {"schedule resume *", ""}, {"schedule delete day", ""}, {"schedule delete n* --dry-run", ""}, {"schedule delete n*", ""}, {"schedule delete n* day --yes", ""},
		{"agent block none *", ""}, {"agent block none other", ""}, {"job delete night-* -o json", ""}, {"job delete night-* --dry-run", ""}, {"job delete night-1 none -y -o json", ""}, {"job delete night-* -y -o edn", ""}, {"job delete - -y", "day\nnone\n"},
		{"app create a", ""}, {"app create b", ""}, {"app delete a b*", ""}, {"app delete a b* -y", ""},
	} {
		e.in = c.in
		args := strings.Fields(c.line)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "%", " ")
		}
		got := e.runOnce(t.Context(), args...)
		if c.in != "" {
			fmt.Fprintf(&all, "$ printf %q | ", c.in)
		} else {
			all.WriteString("$ ")
		}
		fmt.Fprintf(&all, "jobstreamer %s\n%s%s", strings.ReplaceAll(c.line, "%", " "), changeTimes.ReplaceAllString(stableTimes.ReplaceAllString(got.out, "(time)"), "$1(time)"), got.err)
		if exit := ExitStatus(got.failed); exit != 0 {
			fmt.Fprintf(&all, "=> %d\n", exit)
		}
		all.WriteString("\n")
	}
	checkGolden(t, "many", all.String())
}
