//go:build linux

package crashtest

import (
	"encoding/json"
	"fmt"
)

// Jobs. Each step appends "<execution> <attempt> <step>" to the evidence in one
// write before it does anything else.
const (
	line      = "line"      // ends at once
	lineElse  = "lineElse"  // ends at once; a lost attempt is followed by another
	long      = "long"      // the first attempt takes longer than a test
	longElse  = "longElse"  // as long, but a lost attempt is followed by another
	while     = "while"     // takes a second
	slow      = "slow"      // takes longer than it takes the agent to name it in a heartbeat
	whileElse = "whileElse" // takes a second, and a lost attempt is followed by another
	two       = "twoSteps"  // has two steps
	twoElse   = "twoElse"   // has two steps, and a lost attempt is followed by another
	single    = "single"    // is exclusive
	slowOne   = "slowOne"   // is exclusive, and takes as long as long
	code      = "code"      // fails unless it gets the parameter code=0
)

// evidenceCommand is the command that leaves evidence.
func evidenceCommand(evidence string) string {
	return `echo "$JOBSTREAMER_EXECUTION_ID $JOBSTREAMER_ATTEMPT $JOBSTREAMER_STEP" >> "` + evidence + `"`
}

const forLong = `; if [ "$JOBSTREAMER_ATTEMPT" = 1 ]; then exec sleep 100; fi`

// steps of each job, by name.
func stepsOf(job string) []string {
	if job == two || job == twoElse {
		return []string{"one", "two"}
	}
	return []string{"one"}
}

// definition is the job as it is PUT.
func definition(job, evidence string) json.RawMessage {
	then := map[string]string{
		long: forLong, longElse: forLong, slowOne: forLong, while: "; sleep 1", slow: "; sleep 3", whileElse: "; sleep 1", code: `; exit ${JOBSTREAMER_PARAM_CODE:-1}`,
	}[job]
	type batchlet struct {
		Ref        string            `json:"ref"`
		Properties map[string]string `json:"properties"`
	}
	type step struct {
		ID       string   `json:"id"`
		Next     string   `json:"next,omitempty"`
		Batchlet batchlet `json:"batchlet"`
	}
	def := struct {
		ID        string `json:"id"`
		Exclusive bool   `json:"exclusive,omitempty"`
		Lost      string `json:"on_agent_lost,omitempty"`
		Steps     []step `json:"steps"`
	}{ID: job, Exclusive: job == single || job == slowOne}
	if job == lineElse || job == longElse || job == whileElse || job == twoElse {
		def.Lost = "requeue"
	}
	for _, id := range stepsOf(job) {
		def.Steps = append(def.Steps, step{ID: id, Batchlet: batchlet{
			"org.jobstreamer.batch.ShellBatchlet", map[string]string{"command": evidenceCommand(evidence) + then},
		}})
	}
	for i := range len(def.Steps) - 1 {
		def.Steps[i].Next = def.Steps[i+1].ID
	}
	data, err := json.Marshal(def)
	if err != nil {
		panic(fmt.Sprint("of strings: ", err))
	}
	return data
}
