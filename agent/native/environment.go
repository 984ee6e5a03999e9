package native

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/agent/native/supervisor"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// passed lists the variables of the agent's environment that every process
// gets. Programs need them to work at all.
var passed = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR",
	// Windows
	"SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERPROFILE", "USERNAME",
	"APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES", "SYSTEMDRIVE", "NUMBER_OF_PROCESSORS",
}

// Variables by which an agent finds the processes of steps, beside
// [supervisor.Mark].
const (
	agentMark     = "JOBSTREAMER_AGENT_DATA" // the DataDir of the agent
	executionMark = "JOBSTREAMER_EXECUTION_ID"
)

// inherited returns the variables of the agent's environment that processes
// get.
func inherited(environ, more []string) []string {
	var env []string
	for _, v := range environ {
		if name, _, _ := strings.Cut(v, "="); passesOn(name) || slices.Contains(more, name) {
			env = append(env, v)
		}
	}
	return env
}

// passesOn reports whether every process gets a variable of the agent's
// environment.
func passesOn(name string) bool {
	name = strings.ToUpper(name)
	return slices.Contains(passed, name) || strings.HasPrefix(name, "LC_")
}

// IsPublic reports whether a variable of a program's environment holds no
// secret: processes of steps get it anyway, or it marks the program as one.
func IsPublic(name string) bool {
	return passesOn(name) || slices.Contains([]string{agentMark, supervisor.Mark, executionMark}, name)
}

// stepEnvironment returns the environment of a step's process. If a variable
// occurs twice, its last value counts. data is what an earlier execution of the
// step has saved.
func (r *jobRun) stepEnvironment(s *jsl.Step, data json.RawMessage) []string {
	env := r.place.environment(r.rt.env)
	for _, p := range slices.Concat(s.Properties, s.Batchlet.Properties) {
		if name, ok := strings.CutPrefix(p.Name, "env."); ok && name != "" && !strings.Contains(name, "=") {
			env = append(env, name+"="+p.Value)
		}
	}
	e := &r.work.Execution
	for name, value := range e.Parameters {
		env = append(env, subjects.ParameterVariable(name)+"="+value)
	}
	for name, value := range r.handover.current() {
		env = append(env, subjects.ValueVariable(name)+"="+value)
	}
	if len(data) > 0 {
		env = append(env, "JOBSTREAMER_PERSISTENT_DATA="+persistentText(data))
	}
	if !e.ScheduledFor.IsZero() {
		env = append(env, "JOBSTREAMER_SCHEDULED_FOR="+e.ScheduledFor.String())
	}
	if e.ScheduledDate != "" {
		env = append(env, "JOBSTREAMER_SCHEDULED_DATE="+e.ScheduledDate)
	}
	return append(env,
		"JOBSTREAMER_APP="+e.App, "JOBSTREAMER_JOB="+r.jsl.ID,
		executionMark+"="+strconv.FormatInt(e.ID, 10),
		"JOBSTREAMER_ATTEMPT="+strconv.Itoa(r.work.Attempt), "JOBSTREAMER_STEP="+s.ID)
}

// secretEnvironment returns the variables that the property secrets of a step
// asks for.
func (r *jobRun) secretEnvironment(ctx context.Context, property string) ([]string, error) {
	wanted, err := jsl.ParseSecrets(property)
	if err != nil {
		return nil, fmt.Errorf("secrets: %w", err)
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	names := make([]string, len(wanted))
	for i, one := range wanted {
		names[i] = one.Secret
	}
	values, err := r.work.Secrets.Get(ctx, names...)
	if err != nil {
		return nil, err
	}
	var env []string
	for _, one := range wanted {
		env = append(env, one.Variable+"="+values[one.Secret])
	}
	return env, nil
}
