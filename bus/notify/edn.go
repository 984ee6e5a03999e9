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

// The bodies have the form that v1 clients expect: keys without a namespace,
// and nil for unknown values.

func statusBody(e *bus.Execution, job string) []byte {
	var w notificationBody
	w.WriteString("{:execution-id " + strconv.FormatInt(e.ID, 10))
	w.writeTimes(e.StartTime, e.EndTime)
	w.writeStatus(e.BatchStatus)
	w.writeText(":exit-status", e.ExitStatus)
	w.writeParameters(e.Parameters)
	w.WriteString(" :step-executions [")
	for i := range e.StepExecutions {
		if i > 0 {
			w.WriteByte(' ')
		}
		w.writeStep(&e.StepExecutions[i])
	}
	w.WriteString("]")
	w.writeText(":job-name", job)
	w.WriteString("}")
	return w.Bytes()
}

func alertBody(job string, minutes int) []byte {
	return []byte("{:job-name " + jsl.EDNString(job) + " :duration " + strconv.Itoa(minutes) + "}")
}

// notificationBody is the EDN of a notification.
type notificationBody struct{ bytes.Buffer }

func (w *notificationBody) writeStep(s *subjects.StepExecution) {
	w.WriteString("{:step-execution-id " + strconv.FormatInt(s.ID, 10))
	w.writeTimes(s.StartTime, s.EndTime)
	w.writeText(":exit-status", s.ExitStatus)
	w.writeStatus(s.BatchStatus)
	w.writeText(":step-name", s.Step)
	w.WriteString("}")
}

func (w *notificationBody) writeTimes(start, end subjects.Time) {
	w.WriteString(" :start-time " + ednInstant(start) + " :end-time " + ednInstant(end))
}

func ednInstant(t subjects.Time) string {
	if t.IsZero() {
		return "nil"
	}
	return t.Std().Format(`#inst "2006-01-02T15:04:05.000-00:00"`)
}

func (w *notificationBody) writeStatus(s subjects.BatchStatus) {
	w.WriteString(" :batch-status :batch-status/" + string(s))
}

func (w *notificationBody) writeText(key, s string) {
	w.WriteString(" " + key + " ")
	if s == "" {
		w.WriteString("nil")
		return
	}
	w.WriteString(jsl.EDNString(s))
}

func (w *notificationBody) writeParameters(all map[string]string) {
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
