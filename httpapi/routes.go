package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/sse"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const (
	get  = http.MethodGet
	post = http.MethodPost
	put  = http.MethodPut
	del  = http.MethodDelete

	job   = "/{app}/job/{job}"
	exec  = job + "/execution/{id}"
	sched = job + "/schedule"
)

// routes are all of them, by what they are about, each with what a login needs
// for it.
func (s *Server) routes() {
	add(s, open, reads(get, "/version", "Version of the control bus", 200), s.version)
	add(s, open, reads(get, "/healthcheck", "Whether NATS and JetStream can be reached, and have room; 503 says why not", 200), s.healthcheck)

	add(s, open, signIn(writes(post, "/auth", "Log in", 201)), s.postAuth)
	add(s, open, writes(del, "/auth", "Log out", 204), s.deleteAuth)
	add(s, open, reads(get, "/oauth", "Who else can log somebody in: nobody yet", 200), s.listProviders)
	add(s, open, named("get-provider", reads(get, "/oauth/{id}", "Log in by somebody else", 302)), s.provider)
	add(s, anyone, reads(get, "/account", "Who is logged in, with his roles", 200), s.account)
	add(s, manageUsers, reads(get, "/users", "Users by id", 200), s.listUsers)
	add(s, manageUsers, writes(post, "/user", "Make a user", 201), s.postUser)
	add(s, manageUsers, writes(put, "/user/{id}/roles", "Give a user other roles in place of theirs", 200), s.putRoles)
	add(s, manageUsers, writes(del, "/user/{id}", "Remove a user with his sessions and keys", 204), s.deleteUser)
	add(s, ownKeys, writes(post, "/user/{id}/key", "Make a key for programs, which is shown this once", 201), s.postKey)
	add(s, ownKeys, writes(del, "/user/{id}/key", "Revoke all keys of a user", 204), s.deleteKeys)

	add(s, anyone, reads(get, "/apps", "Applications by name", 200), s.listApps)
	add(s, anyone, writes(post, "/apps", "Create or overwrite an application", 201), s.postApp)
	add(s, anyone, reads(get, "/app/{app}", "An application", 200), s.getApp)
	add(s, anyone, writes(put, "/app/{app}", "Create or overwrite an application", 200), s.putApp)
	add(s, removeJob, writes(del, "/app/{app}", "Delete an application that has no jobs", 204), s.deleteApp)
	add(s, anyone, reads(get, "/{app}/stats", "Counts of an application", 200), s.appStats)

	add(s, anyone, reads(get, "/{app}/batch-components", "What jobs can name: batchlets, readers, listeners ...", 200), s.listComponents)
	add(s, anyone, uploads(writes(post, "/{app}/batch-components", "Add jars, the parts file of a form, to what is deployed", 201), "multipart/form-data"), s.postComponents)
	add(s, anyone, reads(get, "/{app}/deployments", "The last ten revisions of an application, newest first", 200), s.listDeployments)
	add(s, anyone, writes(post, "/{app}/deployments", "Deploy jars that are stored", 201), s.postDeployment)
	add(s, anyone, reads(get, "/{app}/deployment/{number}", "A revision of an application", 200), s.getDeployment)
	add(s, anyone, writes(put, "/{app}/deployment/{number}/current", "Make a revision current again", 200), s.makeCurrent)
	add(s, anyone, uploads(writes(put, "/artifact/{sha256}", "Store a jar", 200), jarType), s.putArtifact)
	add(s, anyone, stream(reads(get, "/artifact/{sha256}", "A jar", 200), jarType), s.getArtifact)

	add(s, readJob, reads(get, "/{app}/jobs", "Jobs of an application", 200), s.listJobs)
	add(s, readJob, stream(reads(get, "/{app}/jobs/download", "All jobs, as a file", 200), "application/force-download"), s.download)
	add(s, anyone, reads(post, "/jobs/convert-xml", "The job XML of a diagram", 201), s.convertXML)
	add(s, createJob, ofJob(writes(post, "/{app}/jobs", "Create or overwrite a job", 201)), s.postJob)
	add(s, readJob, ofJob(reads(post, "/{app}/jobs/judge", "What a PUT of a job's file would do, without doing it", 200)), s.judgeJob)
	add(s, readJob, ofJob(reads(get, job, "A job", 200)), s.getJob)
	add(s, updateJob, ofJob(writes(put, job, "Create or overwrite a job", 200)), s.putJob)
	add(s, readJob, ofJob(reads(get, job+"/definition", "The definition of a job", 200)), s.getDefinition)
	add(s, readJob, ofJob(reads(get, job+"/file", "A job's file: definition, schedule, time monitor and notifications, as it may be PUT again", 200)), s.getFile)
	add(s, removeJob, writes(del, job, "Delete a job with its schedule and history", 204), s.deleteJob)

	add(s, readJob, reads(get, job+"/settings", "What can be set without the definition", 200), s.getSettings)
	add(s, updateJob, writes(put, job+"/settings/exclusive", "Let one execution run at a time", 200), s.putExclusive)
	add(s, removeJob, writes(del, job+"/settings/exclusive", "Let executions run at the same time", 204), s.deleteExclusive)
	add(s, updateJob, writes(put, job+"/settings/time-monitor", "Alert, stop or abandon when an execution takes too long", 200), s.putTimeMonitor)
	add(s, removeJob, writes(del, job+"/settings/time-monitor", "Let executions take as long as they take", 204), s.deleteTimeMonitor)
	add(s, updateJob, writes(put, job+"/settings/status-notification", "Add a notification, or remove the one with an id", 200), s.putStatusNotification)
	add(s, removeJob, writes(del, job+"/settings/status-notification/{id}", "Remove a notification", 204), s.deleteStatusNotification)

	add(s, anyone, named("get-all-executions", reads(get, "/executions", "Executions of all applications that the login may look at, newest first", 200)), s.listAllExecutions)
	add(s, readJob, named("get-app-executions", reads(get, "/{app}/executions", "Executions of an application, newest first", 200)), s.listAppExecutions)
	add(s, readJob, reads(get, job+"/executions", "Executions of a job, newest first", 200), s.listExecutions)
	add(s, executeJob, quick(writes(post, job+"/executions", "Start an execution", 201)), s.postExecution)
	add(s, removeJob, writes(del, job+"/executions", "Delete the ended executions of a job", 204), s.deleteExecutions)
	add(s, readJob, reads(get, exec, "An execution", 200), s.getExecution)
	add(s, executeJob, writes(put, exec+"/stop", "Stop an execution", 200), s.stopExecution)
	add(s, executeJob, writes(put, exec+"/abandon", "Give up an execution that does not run", 200), s.abandonExecution)
	add(s, executeJob, writes(put, exec+"/alert", "Send the alert of the time monitor for an execution", 200), s.alertExecution)
	add(s, executeJob, writes(put, exec+"/restart", "Go on where an execution ended, in a new one", 201), s.restartExecution)
	add(s, readJob, reads(get, "/{app}/execution/{id}", "An execution, without its job's name", 200), s.findExecution)
	add(s, readJob, stream(reads(get, exec+"/log", "Output of an execution", 200), "text/plain", sse.EventStream, "application/json", "application/edn", "application/yaml"), s.getLog)
	add(s, readJob, stream(reads(get, "/{app}/execution/{id}/log", "Output of an execution, without its job's name", 200), "text/plain", sse.EventStream, "application/json", "application/edn", "application/yaml"), s.findLog)

	add(s, executeJob, writes(post, sched, "Schedule a job", 201), s.postSchedule)
	add(s, executeJob, writes(put, sched, "Schedule a job", 200), s.putSchedule)
	add(s, executeJob, writes(del, sched, "Remove a job's schedule", 204), s.deleteSchedule)
	add(s, executeJob, writes(put, sched+"/pause", "Pause a schedule", 200), s.pauseSchedule)
	add(s, executeJob, writes(put, sched+"/resume", "Resume a schedule", 200), s.resumeSchedule)
	add(s, readJob, reads(get, job+"/fires", "What became of the nominal times of a job's schedules, newest first", 200), s.listFires)

	add(s, anyone, writes(post, "/test-executions", "Run a diagram without its steps' work", 201), s.postTestExecution)
	add(s, anyone, reads(get, "/test-execution/{id}", "How far the run of a diagram is", 200), s.getTestExecution)
	add(s, anyone, writes(del, "/test-execution/{id}", "Forget the run of a diagram", 204), s.deleteTestExecution)

	add(s, anyone, reads(post, "/schedule/preview", "When a schedule would fire", 200), s.preview)

	add(s, anyone, reads(get, "/agents", "Agents by name", 200), s.listAgents)
	add(s, anyone, reads(get, "/agent/{id}", "An agent, by its name or its instance id", 200), s.getAgent)
	add(s, anyone, writes(put, "/agent/{id}/block", "Let an agent take no more work", 200), s.blockAgent)
	add(s, anyone, writes(put, "/agent/{id}/unblock", "Let an agent take work again", 200), s.unblockAgent)
	add(s, anyone, named("get-agent-monitor", stream(reads(get, "/agent/{id}/monitor/{figure}/{cycle}", "A picture of an agent's load or memory", 200), "image/png")), s.getPicture)

	add(s, readJob, stream(reads(get, "/events", "Changes of executions as they happen", 200), sse.EventStream), s.getEvents)
}

// traits are the properties of a route that its handler's types do not show.
type traits struct {
	readsOnly  bool // the handler changes nothing
	quick      bool // the read model may name the job, although the route writes
	definition bool // body or answer is a job definition, which XML can hold
	signsIn    bool // the body decides the format of the answer
	streams    bool // the answer has a media type of its own
}

const traitsKey = "traits"

// traitsOf returns the traits of a route. The caller may change them while the
// route is being declared.
func traitsOf(op *huma.Operation) *traits {
	t, _ := op.Metadata[traitsKey].(*traits)
	return t
}

// writes declares a route that changes something.
func writes(method, path, summary string, status int) huma.Operation {
	id := strings.NewReplacer("{app}", "", "{job}", "", "{id}", "", "/", "-", ".", "-").Replace(strings.ToLower(method) + path)
	parts := slices.DeleteFunc(strings.Split(id, "-"), func(s string) bool { return s == "" })
	return huma.Operation{
		Method: method, Path: path, Summary: summary, DefaultStatus: status,
		OperationID: strings.Join(parts, "-"), Tags: []string{tagOf(path)},
		Metadata: map[string]any{traitsKey: &traits{}},
	}
}

func tagOf(path string) string {
	for _, tag := range []string{"execution", "schedule", "agent", "job", "event", "user"} {
		if strings.Contains(path, "/"+tag) {
			return tag + "s"
		}
	}
	if strings.Contains(path, "app") {
		return "applications"
	}
	return "control bus"
}

// reads declares a route that only reads, whatever its method.
func reads(method, path, summary string, status int) huma.Operation {
	op := writes(method, path, summary, status)
	traitsOf(&op).readsOnly = true
	return op
}

// quick lets the read model name the job of a route that writes.
func quick(op huma.Operation) huma.Operation {
	traitsOf(&op).quick = true
	return op
}

// ofJob declares that body or answer is a job definition.
func ofJob(op huma.Operation) huma.Operation {
	traitsOf(&op).definition = true
	return op
}

// named gives a route an operation id other than the one made from its path.
func named(id string, op huma.Operation) huma.Operation {
	op.OperationID = id
	return op
}

// signIn declares that the body decides the format of the answer.
func signIn(op huma.Operation) huma.Operation {
	traitsOf(&op).signsIn = true
	return op
}

// uploads says that the body is read as it comes.
func uploads(op huma.Operation, media string) huma.Operation {
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{media: {}}}
	return op
}

// stream says that the answer is text, whatever else is accepted.
func stream(op huma.Operation, media ...string) huma.Operation {
	traitsOf(&op).streams = true
	content := map[string]*huma.MediaType{}
	for _, m := range media {
		content[m] = &huma.MediaType{}
	}
	op.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: content}}
	return op
}

// reserved are the first segments of paths that are not an application's, now
// or in a version to come.
var reserved = []string{
	"account", "agent", "agents", "api", "app", "apps", "artifact", "artifacts", "assets", "auth", "calendar", "calendars",
	"console", "docs", "event", "events", "execution", "executions", "favicon", "healthcheck", "job", "jobs", "login",
	"logout", "metrics", "oauth", "openapi", "ready", "robots", "schedule", "schedules", "schemas", "settings", "static",
	"stats", "status", "test-execution", "test-executions", "token", "tokens", "user", "users", "version", "ws",
}

const wantName = "1 to 128 of the characters A-Z a-z 0-9 _ -"

// checkAppName judges the name of an application that is to be made.
func checkAppName(f *codec.Faults, at, name string) {
	switch {
	case !subjects.ValidName(name):
		f.Add(at, wantName, name)
	case slices.Contains(reserved, name):
		f.Add(at, "a name that is not the beginning of another path of this API", name)
	}
}
