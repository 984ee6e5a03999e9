package httpapi

import (
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/codec"
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
	add(s, open, route(get, "/version", "Version of the control bus", 200), s.version)
	add(s, open, route(get, "/healthcheck", "Whether NATS and JetStream can be reached, and have room; 503 says why not", 200), s.healthcheck)

	add(s, open, signIn(route(post, "/auth", "Log in", 201)), s.postAuth)
	add(s, open, route(del, "/auth", "Log out", 204), s.deleteAuth)
	add(s, open, route(get, "/oauth", "Who else can log somebody in: nobody yet", 200), s.listProviders)
	add(s, open, named("get-provider", route(get, "/oauth/{id}", "Log in by somebody else", 302)), s.provider)
	add(s, anyone, route(get, "/account", "Who is logged in, with his roles", 200), s.account)
	add(s, manageUsers, route(get, "/users", "Users by id", 200), s.listUsers)
	add(s, manageUsers, route(post, "/user", "Make a user", 201), s.postUser)
	add(s, manageUsers, route(put, "/user/{id}/roles", "Give a user other roles in place of theirs", 200), s.putRoles)
	add(s, manageUsers, route(del, "/user/{id}", "Remove a user with his sessions and keys", 204), s.deleteUser)
	add(s, ownKeys, route(post, "/user/{id}/key", "Make a key for programs, which is shown this once", 201), s.postKey)
	add(s, ownKeys, route(del, "/user/{id}/key", "Revoke all keys of a user", 204), s.deleteKeys)

	add(s, anyone, route(get, "/apps", "Applications by name", 200), s.listApps)
	add(s, anyone, route(post, "/apps", "Create or overwrite an application", 201), s.postApp)
	add(s, anyone, route(get, "/app/{app}", "An application", 200), s.getApp)
	add(s, anyone, route(put, "/app/{app}", "Create or overwrite an application", 200), s.putApp)
	add(s, removeJob, route(del, "/app/{app}", "Delete an application that has no jobs", 204), s.deleteApp)
	add(s, anyone, route(get, "/{app}/stats", "Counts of an application", 200), s.appStats)

	add(s, anyone, route(get, "/{app}/batch-components", "What jobs can name: batchlets, readers, listeners ...", 200), s.listComponents)
	add(s, anyone, uploads(route(post, "/{app}/batch-components", "Add jars, the parts file of a form, to what is deployed", 201), "multipart/form-data"), s.postComponents)
	add(s, anyone, route(get, "/{app}/deployments", "The last ten revisions of an application, newest first", 200), s.listDeployments)
	add(s, anyone, route(post, "/{app}/deployments", "Deploy jars that are stored", 201), s.postDeployment)
	add(s, anyone, route(get, "/{app}/deployment/{number}", "A revision of an application", 200), s.getDeployment)
	add(s, anyone, route(put, "/{app}/deployment/{number}/current", "Make a revision current again", 200), s.makeCurrent)
	add(s, anyone, uploads(route(put, "/artifact/{sha256}", "Store a jar", 200), jarType), s.putArtifact)
	add(s, anyone, stream(route(get, "/artifact/{sha256}", "A jar", 200), jarType), s.getArtifact)

	add(s, readJob, route(get, "/{app}/jobs", "Jobs of an application", 200), s.listJobs)
	add(s, readJob, stream(route(get, "/{app}/jobs/download", "All jobs, as a file", 200), "application/force-download"), s.download)
	add(s, anyone, route(post, "/jobs/convert-xml", "The job XML of a diagram", 201), s.convertXML)
	add(s, createJob, ofJob(route(post, "/{app}/jobs", "Create or overwrite a job", 201)), s.postJob)
	add(s, readJob, ofJob(route(post, "/{app}/jobs/judge", "What a PUT of a job's file would do, without doing it", 200)), s.judgeJob)
	add(s, readJob, ofJob(route(get, job, "A job", 200)), s.getJob)
	add(s, updateJob, ofJob(route(put, job, "Create or overwrite a job", 200)), s.putJob)
	add(s, readJob, ofJob(route(get, job+"/definition", "The definition of a job", 200)), s.getDefinition)
	add(s, readJob, ofJob(route(get, job+"/file", "A job's file: definition, schedule, time monitor and notifications, as it may be PUT again", 200)), s.getFile)
	add(s, removeJob, route(del, job, "Delete a job with its schedule and history", 204), s.deleteJob)

	add(s, readJob, route(get, job+"/settings", "What can be set without the definition", 200), s.getSettings)
	add(s, updateJob, route(put, job+"/settings/exclusive", "Let one execution run at a time", 200), s.putExclusive)
	add(s, removeJob, route(del, job+"/settings/exclusive", "Let executions run at the same time", 204), s.deleteExclusive)
	add(s, updateJob, route(put, job+"/settings/time-monitor", "Alert, stop or abandon when an execution takes too long", 200), s.putTimeMonitor)
	add(s, removeJob, route(del, job+"/settings/time-monitor", "Let executions take as long as they take", 204), s.deleteTimeMonitor)
	add(s, updateJob, route(put, job+"/settings/status-notification", "Add a notification, or remove the one with an id", 200), s.putStatusNotification)
	add(s, removeJob, route(del, job+"/settings/status-notification/{id}", "Remove a notification", 204), s.deleteStatusNotification)

	add(s, anyone, named("get-all-executions", route(get, "/executions", "Executions of all applications that the login may look at, newest first", 200)), s.listAllExecutions)
	add(s, readJob, named("get-app-executions", route(get, "/{app}/executions", "Executions of an application, newest first", 200)), s.listAppExecutions)
	add(s, readJob, route(get, job+"/executions", "Executions of a job, newest first", 200), s.listExecutions)
	add(s, executeJob, route(post, job+"/executions", "Start an execution", 201), s.postExecution)
	add(s, removeJob, route(del, job+"/executions", "Delete the ended executions of a job", 204), s.deleteExecutions)
	add(s, readJob, route(get, exec, "An execution", 200), s.getExecution)
	add(s, executeJob, route(put, exec+"/stop", "Stop an execution", 200), s.stopExecution)
	add(s, executeJob, route(put, exec+"/abandon", "Give up an execution that does not run", 200), s.abandonExecution)
	add(s, executeJob, route(put, exec+"/alert", "Send the alert of the time monitor for an execution", 200), s.alertExecution)
	add(s, executeJob, route(put, exec+"/restart", "Go on where an execution ended, in a new one", 201), s.restartExecution)
	add(s, readJob, route(get, "/{app}/execution/{id}", "An execution, without its job's name", 200), s.findExecution)
	add(s, readJob, stream(route(get, exec+"/log", "Output of an execution", 200), "text/plain", eventStream, "application/json", "application/edn", "application/yaml"), s.getLog)
	add(s, readJob, stream(route(get, "/{app}/execution/{id}/log", "Output of an execution, without its job's name", 200), "text/plain", eventStream, "application/json", "application/edn", "application/yaml"), s.findLog)

	add(s, executeJob, route(post, sched, "Schedule a job", 201), s.postSchedule)
	add(s, executeJob, route(put, sched, "Schedule a job", 200), s.putSchedule)
	add(s, executeJob, route(del, sched, "Remove a job's schedule", 204), s.deleteSchedule)
	add(s, executeJob, route(put, sched+"/pause", "Pause a schedule", 200), s.pauseSchedule)
	add(s, executeJob, route(put, sched+"/resume", "Resume a schedule", 200), s.resumeSchedule)
	add(s, readJob, route(get, job+"/fires", "What became of the nominal times of a job's schedules, newest first", 200), s.listFires)

	add(s, anyone, route(post, "/test-executions", "Run a diagram without its steps' work", 201), s.postTestExecution)
	add(s, anyone, route(get, "/test-execution/{id}", "How far the run of a diagram is", 200), s.getTestExecution)
	add(s, anyone, route(del, "/test-execution/{id}", "Forget the run of a diagram", 204), s.deleteTestExecution)

	add(s, anyone, route(post, "/schedule/preview", "When a schedule would fire", 200), s.preview)

	add(s, anyone, route(get, "/agents", "Agents by name", 200), s.listAgents)
	add(s, anyone, route(get, "/agent/{id}", "An agent, by its name or its instance id", 200), s.getAgent)
	add(s, anyone, route(put, "/agent/{id}/block", "Let an agent take no more work", 200), s.blockAgent)
	add(s, anyone, route(put, "/agent/{id}/unblock", "Let an agent take work again", 200), s.unblockAgent)
	add(s, anyone, named("get-agent-monitor", stream(route(get, "/agent/{id}/monitor/{figure}/{cycle}", "A picture of an agent's load or memory", 200), "image/png")), s.getPicture)

	add(s, readJob, stream(route(get, "/events", "Changes of executions as they happen", 200), eventStream), s.events)
}

// ofJob says that the route is about a definition, which XML can hold too.
func ofJob(op huma.Operation) huma.Operation {
	return noted(op, "job")
}

// named has an id of its own: that of its path is another's.
func named(id string, op huma.Operation) huma.Operation {
	op.OperationID = id
	return op
}

// signIn says that the answer's format hangs on the body.
func signIn(op huma.Operation) huma.Operation { return noted(op, "sign-in") }

func noted(op huma.Operation, what string) huma.Operation {
	op.Metadata = map[string]any{what: true}
	return op
}

// uploads says that the body is read as it comes.
func uploads(op huma.Operation, media string) huma.Operation {
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{media: {}}}
	return op
}

// stream says that the answer is text, whatever else is accepted.
func stream(op huma.Operation, media ...string) huma.Operation {
	op = noted(op, "stream")
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
