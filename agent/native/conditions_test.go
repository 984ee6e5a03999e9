package native_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/job-streamer/job-streamer-control-bus/agent/agenttest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// The built-in decider answers with the first property whose condition holds.
func TestConditions(t *testing.T) {
	const job = `{'id':'a','next':'d','batchlet':{'ref':'exit','properties':{'with':'12'}}},
		{'id':'d','decision':{'ref':'org.jobstreamer.batch.ConditionDecider','properties':{%s}},'transitions':[{'end':{'on':'*'}}]}`
	const split = `{'id':'s','next':'d','flows':[{'id':'f','steps':[{'id':'a','batchlet':{'ref':'exit','properties':{'with':'12'}}}]},
		{'id':'g','steps':[{'id':'b','batchlet':{'ref':'exit','properties':{'with':'13'}}}]}]},
		{'id':'d','decision':{'ref':'org.jobstreamer.batch.ConditionDecider','properties':{%s}},'transitions':[{'end':{'on':'*'}}]}`
	for _, test := range []struct{ name, job, properties, exit, exception string }{
		{"the exit status of the step before", job, `'NO':'exit is 13','YES':'exit is 12'`, "YES", ""},
		{"a pattern", job, `'NO':'exit is 2*','YES':'exit is 1?'`, "YES", ""},
		{"is not", job, `'NO':'exit is not 1?','YES':'exit is not 13'`, "YES", ""},
		{"the first one in the document wins", job, `'Z':'otherwise','A':'exit is 12'`, "Z", ""},
		{"numbers", job, `'NO':'exit < 12','NEVER':'exit > 12','YES':'exit <= 12'`, "YES", ""},
		{"numbers are not texts", job, `'NO':'exit < 9','YES':'exit >= 9.5'`, "YES", ""},
		{"the exit status of a step by its name", job, `'YES':'step.a is 12'`, "YES", ""},
		{"a step that never ran has none", job, `'NO':'step.x is ?*','YES':'otherwise'`, "YES", ""},
		{"the batch status of a step", job, `'YES':'status.a is COMPLETED'`, "YES", ""},
		{"a parameter", job, `'NO':'param.mode is slow','YES':'param.mode is fast'`, "YES", ""},
		{"a parameter that is a number", job, `'YES':'param.rows > 900'`, "YES", ""},
		{"a parameter that is not given", job, `'NO':'param.other is ?*','YES':'param.other is not ?*'`, "YES", ""},
		{"several conditions", job, `'NO':'exit is 12 and param.mode is slow','YES':'exit is 12 and param.mode is f*'`, "YES", ""},
		{"each step execution must match", split, `'NO':'exit is 12','YES':'exit is 1?'`, "YES", ""},
		{"is not means none of them", split, `'NO':'exit is not 13','YES':'exit is not 14'`, "YES", ""},
		{"a pattern from a parameter", job, `'YES':"exit is #{jobParameters['want']}"`, "YES", ""},
		{"an empty pattern", job, `'NO':"exit is #{jobParameters['other']}",'YES':"param.other is #{jobParameters['other']}"`, "YES", ""},
		{"no condition holds", job, `'NO':'exit is 13'`, "FAILED", "decision d: none of its conditions holds"},
		{"no number to compare", job, `'NO':'param.mode > 3'`, "FAILED", `decision d: NO: want a number to compare with > 3, got "fast"`},
		{"not a condition", job, `'NO':'exit was 12'`, "FAILED", `/steps/1/decision/properties: NO: want a condition`},
		{"no number in the condition", job, `'NO':'exit > twelve'`, "FAILED", `want a number after >, got "twelve"`},
		{"no property", job, ``, "FAILED", "want at least one property"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				room := agenttest.New(t)
				startAgent(t, room)
				text := strings.ReplaceAll(quoteOperators(fmt.Sprintf(test.job, test.properties)), "'", `"`)
				q := room.Request(strings.ReplaceAll(`{"id":"job","steps":[`+text+`]}`, "~", "'"))
				q.Execution.Parameters = map[string]string{"mode": "fast", "rows": "1000", "want": "1?"}
				end := room.AwaitEnd(room.Submit(q))
				if end.ExitStatus != test.exit {
					t.Errorf("the answer is %s, want %s", end.ExitStatus, test.exit)
				}
				if !strings.Contains(end.Exception, test.exception) || (test.exception == "") != (end.Exception == "") {
					t.Errorf("the exception is %q, want %q in it", end.Exception, test.exception)
				}
				if test.exception == "" && end.BatchStatus != subjects.Completed {
					t.Errorf("it is %s", end.BatchStatus)
				}
			})
		})
	}
}

// quoteOperators writes the quotes of operators as ~, so that ' can stand for ".
func quoteOperators(text string) string {
	return strings.NewReplacer("['", "[~", "']", "~]").Replace(text)
}
