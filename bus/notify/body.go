package notify

import (
	"bytes"
	"maps"
	"slices"
	"strconv"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// What is posted is what the original control bus posted: keys without a
// namespace; what is not known is nil.

func statusBody(e *bus.Execution, job string) []byte {
	var w body
	w.WriteString("{:execution-id " + strconv.FormatInt(e.ID, 10))
	w.times(e.StartTime, e.EndTime)
	w.status(e.BatchStatus)
	w.text(":exit-status", e.ExitStatus)
	w.parameters(e.Parameters)
	w.WriteString(" :step-executions [")
	for i := range e.StepExecutions {
		if i > 0 {
			w.WriteByte(' ')
		}
		w.step(&e.StepExecutions[i])
	}
	w.WriteString("]")
	w.text(":job-name", job)
	w.WriteString("}")
	return w.Bytes()
}

func alertBody(job string, minutes int) []byte {
	return []byte("{:job-name " + jsl.EDNString(job) + " :duration " + strconv.Itoa(minutes) + "}")
}

// body is EDN that is being written.
type body struct{ bytes.Buffer }

func (w *body) step(s *subjects.StepExecution) {
	w.WriteString("{:step-execution-id " + strconv.FormatInt(s.ID, 10))
	w.times(s.StartTime, s.EndTime)
	w.text(":exit-status", s.ExitStatus)
	w.status(s.BatchStatus)
	w.text(":step-name", s.Step)
	w.WriteString("}")
}

func (w *body) times(start, end subjects.Time) {
	w.WriteString(" :start-time " + instant(start) + " :end-time " + instant(end))
}

func instant(t subjects.Time) string {
	if t.IsZero() {
		return "nil"
	}
	return t.Std().Format(`#inst "2006-01-02T15:04:05.000-00:00"`)
}

func (w *body) status(s subjects.BatchStatus) {
	w.WriteString(" :batch-status :batch-status/" + string(s))
}

func (w *body) text(key, s string) {
	w.WriteString(" " + key + " ")
	if s == "" {
		w.WriteString("nil")
		return
	}
	w.WriteString(jsl.EDNString(s))
}

func (w *body) parameters(all map[string]string) {
	if len(all) == 0 {
		w.WriteString(" :job-parameter nil")
		return
	}
	sep := " :job-parameter {"
	for _, name := range slices.Sorted(maps.Keys(all)) {
		w.WriteString(sep + jsl.EDNKeyword(name) + " " + jsl.EDNString(all[name]))
		sep = " "
	}
	w.WriteByte('}')
}
