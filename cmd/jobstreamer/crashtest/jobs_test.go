//go:build linux

package crashtest

import (
	"encoding/json"
	"fmt"
)

// Jobs. Before anything else, each step appends "<execution> <attempt> <step>"
// to the evidence in one write.
const (
	line      = "line"      // ends immediately
	lineElse  = "lineElse"  // ends immediately; a lost attempt is repeated
	long      = "long"      // its first attempt takes longer than a test
	longElse  = "longElse"  // like long, but a lost attempt is repeated
	while     = "while"     // takes one second
	slow      = "slow"      // takes longer than an agent needs to name it in a heartbeat
	whileElse = "whileElse" // takes one second; a lost attempt is repeated
	two       = "twoSteps"  // has two steps
	twoElse   = "twoElse"   // has two steps; a lost attempt is repeated
	single    = "single"    // is exclusive
	slowOne   = "slowOne"   // is exclusive and takes as long as long
	code      = "code"      // fails unless it gets the parameter code=0
)

// evidenceCommand returns the command that appends evidence.
func evidenceCommand(evidence string) string {
	return `echo "$JOBSTREAMER_EXECUTION_ID $JOBSTREAMER_ATTEMPT $JOBSTREAMER_STEP" >> "` + evidence + `"`
}

const forLong = `; if [ "$JOBSTREAMER_ATTEMPT" = 1 ]; then exec sleep 100; fi`

// stepsOf returns the names of a job's steps.
func stepsOf(job string) []string {
	if job == two || job == twoElse {
		return []string{"one", "two"}
	}
	return []string{"one"}
}

// definition returns the body of the PUT request for a job.
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
