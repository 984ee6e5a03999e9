package notify

import (
	"maps"
	"slices"
	"strconv"

	"github.com/job-streamer/job-streamer-control-bus/bus/notify/senders"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// The bodies have the form that v1 clients expect: keys without a namespace,
// and nil for unknown values.

// ednBody returns the body of a message.
func ednBody(m *senders.Message) []byte {
	if m.Kind == senders.KindStatus && m.Execution != nil {
		return statusBody(m.Execution, m.Job)
	}
	return alertBody(m.Job, m.Late)
}

func statusBody(e *subjects.Execution, job string) []byte {
	var w notificationBody
	w.Open("{")
	w.writeNumber(":execution-id", e.ID)
	w.writeTimes(e.StartTime, e.EndTime)
	w.writeStatus(e.BatchStatus)
	w.writeText(":exit-status", e.ExitStatus)
	w.writeParameters(e.Parameters)
	w.WriteLiteral(":step-executions")
	w.Open("[")
	for i := range e.StepExecutions {
		w.writeStep(&e.StepExecutions[i])
	}
	w.Close("]")
	w.writeText(":job-name", job)
	w.Close("}")
	return []byte(w.String())
}

func alertBody(job string, minutes int) []byte {
	var w notificationBody
	w.Open("{")
	w.writeText(":job-name", job)
	w.writeNumber(":duration", int64(minutes))
	w.Close("}")
	return []byte(w.String())
}

// notificationBody is the EDN of a notification.
type notificationBody struct{ jsl.EDNWriter }

func (w *notificationBody) writeStep(s *subjects.StepExecution) {
	w.Open("{")
	w.writeNumber(":step-execution-id", s.ID)
	w.writeTimes(s.StartTime, s.EndTime)
	w.writeText(":exit-status", s.ExitStatus)
	w.writeStatus(s.BatchStatus)
	w.writeText(":step-name", s.Step)
	w.Close("}")
}

func (w *notificationBody) writeNumber(key string, n int64) {
	w.WriteLiteral(key)
	w.WriteLiteral(strconv.FormatInt(n, 10))
}

func (w *notificationBody) writeTimes(start, end subjects.Time) {
	w.WriteLiteral(":start-time")
	w.WriteLiteral(ednInstant(start))
	w.WriteLiteral(":end-time")
	w.WriteLiteral(ednInstant(end))
}

func ednInstant(t subjects.Time) string {
	if t.IsZero() {
		return "nil"
	}
	return t.Std().Format(`#inst "2006-01-02T15:04:05.000-00:00"`)
}

func (w *notificationBody) writeStatus(s subjects.BatchStatus) {
	w.WriteLiteral(":batch-status")
	w.WriteLiteral(":batch-status/" + string(s))
}

func (w *notificationBody) writeText(key, s string) {
	w.WriteLiteral(key)
	if s == "" {
		w.WriteLiteral("nil")
		return
	}
	w.WriteText(s)
}

func (w *notificationBody) writeParameters(all map[string]string) {
	w.WriteLiteral(":job-parameter")
	if len(all) == 0 {
		w.WriteLiteral("nil")
		return
	}
	w.Open("{")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		w.WriteLiteral(jsl.EDNKeyword(name))
		w.WriteText(all[name])
	}
	w.Close("}")
}
