package rest

// Triggers start a job when executions of other jobs end. Bodies and answers
// have the same form.
type Triggers struct {
	Needed string    `json:"needed,omitempty" edn:"triggers/needed" enum:"any,all" doc:"any, the default: each of the jobs starts this one. all: it starts once for each business day, when all of them have met their condition for that day."`
	Jobs   []Trigger `json:"jobs" edn:"triggers/jobs" minItems:"1" maxItems:"64"`
}

// Trigger is a job whose executions start another job.
type Trigger struct {
	App        string            `json:"app,omitempty" edn:"trigger/app" doc:"Application of the job. Default: the application of the job that is started."`
	Job        string            `json:"job" edn:"trigger/job" doc:"Name of the job." example:"load"`
	On         string            `json:"on,omitempty" edn:"trigger/on" doc:"completed (the default), failed, ended (completed, failed or stopped), or a pattern of exit statuses with * and ?." example:"completed"`
	Parameters map[string]string `json:"parameters,omitempty" edn:"trigger/parameters" doc:"Parameters of the execution that is started."`
}

// Cause is an execution that started another one by a trigger.
type Cause struct {
	App         string `json:"app" edn:"application/name"`
	Job         string `json:"job" edn:"job/name" doc:"Name of the job."`
	ExecutionID int64  `json:"execution_id" edn:"db/id"`
}
