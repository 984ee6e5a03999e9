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
	named = sched + "/{schedule}"
)

// addRoutes adds all routes, grouped by noun, each with the permission that it
// needs.
func (s *Server) addRoutes() {
	addRoute(s, open, readingRoute(get, "/version", "Version of the control bus", 200), s.getVersion)
	addRoute(s, open, readingRoute(get, "/healthcheck", "Check that NATS and JetStream are reachable and have space; 503 has the reason if not", 200), s.healthcheck)

	addRoute(s, open, withLaterAudit(withSignIn(writingRoute(post, "/auth", "Log in", 201))), s.postAuth)
	addRoute(s, open, withLaterAudit(writingRoute(del, "/auth", "Log out", 204)), s.deleteAuth)
	addRoute(s, open, readingRoute(get, "/oauth", "List the other login providers", 200), s.listProviders)
	addRoute(s, open, withID("get-provider", withPage(readingRoute(get, "/oauth/{id}", "Log in with another login provider, in a browser; a login of a program has to be confirmed on a page", 302))), s.beginLogin)
	addRoute(s, open, withID("confirm-login", withLaterAudit(writingRoute(post, "/oauth/{id}", "Confirm the login of a program, in a browser", 303))), s.confirmLogin)
	addRoute(s, open, withID("finish-login", withLaterAudit(withForeignQuery(readingRoute(get, "/oauth/{id}/cb", "Finish the login; providers redirect browsers to here", 302)))), s.finishLogin)
	addRoute(s, open, withID("redeem-login-code", withLaterAudit(writingRoute(post, "/oauth/{id}/token", "Exchange the code of a login in a browser for a token", 201))), s.redeemCode)
	addRoute(s, anyone, readingRoute(get, "/account", "Get the user who is logged in, with their roles", 200), s.getAccount)
	addRoute(s, manageAgents, readingRoute(get, "/agent-tokens", "List the tokens of agents, ordered by name", 200), s.listAgentTokens)
	addRoute(s, manageAgents, writingRoute(post, "/agent-tokens", "Create a token for an agent; only this answer contains the credentials", 201), s.postAgentToken)
	addRoute(s, open, writingRoute(post, "/agent-tokens/join", "Give a token to an agent that knows the join token and has made a NATS key", 201), s.postJoin)
	addRoute(s, manageAgents, withID("delete-agent-token", writingRoute(del, "/agent-token/{name}", "Revoke the token of an agent and close its connections", 204)), s.deleteAgentToken)
	addRoute(s, manageUsers, readingRoute(get, "/users", "List the users, ordered by id", 200), s.listUsers)
	addRoute(s, manageUsers, writingRoute(post, "/user", "Create a user", 201), s.postUser)
	addRoute(s, manageUsers, writingRoute(put, "/user/{id}/roles", "Replace the roles of a user", 200), s.putRoles)
	addRoute(s, ownKeys, writingRoute(put, "/user/{id}/password", "Change a password and end the user's other sessions; users send their present one, admins may set another's", 204), s.putPassword)
	addRoute(s, manageUsers, writingRoute(del, "/user/{id}", "Delete a user with their sessions and keys", 204), s.deleteUser)
	addRoute(s, ownKeys, writingRoute(post, "/user/{id}/key", "Create a key for a program; only this answer contains it", 201), s.postKey)
	addRoute(s, ownKeys, readingRoute(get, "/user/{id}/keys", "List the keys of a user, oldest first", 200), s.listKeys)
	addRoute(s, ownKeys, withID("delete-one-user-key", writingRoute(del, "/user/{id}/key/{name}", "Revoke a key of a user", 204)), s.deleteKey)
	addRoute(s, ownKeys, writingRoute(del, "/user/{id}/key", "Revoke all keys of a user", 204), s.deleteKeys)

	addRoute(s, readAudit, withFullQuery(readingRoute(get, "/audit", "List who changed what; each row has the hash of the row before", 200)), s.listAudit)

	addRoute(s, anyone, readingRoute(get, "/apps", "List the applications, ordered by name; only the names of those that the user may not read", 200), s.listApps)
	addRoute(s, deployAny, writingRoute(post, "/apps", "Create or overwrite an application", 201), s.postApp)
	addRoute(s, readJob, readingRoute(get, "/app/{app}", "Get an application", 200), s.getApp)
	addRoute(s, deployApp, writingRoute(put, "/app/{app}", "Create or overwrite an application", 200), s.putApp)
	addRoute(s, removeJob, writingRoute(del, "/app/{app}", "Delete an application that has no jobs", 204), s.deleteApp)
	addRoute(s, readJob, readingRoute(get, "/{app}/stats", "Count the jobs and agents of an application", 200), s.appStats)

	addRoute(s, readJob, readingRoute(get, "/{app}/secrets", "List the secrets of an application, ordered by name, without their values", 200), s.listSecrets)
	addRoute(s, writeSecret, withID("put-secret", writingRoute(put, "/{app}/secret/{name}", "Set a secret of an application; no answer ever shows its value", 200)), s.putSecret)
	addRoute(s, writeSecret, withID("delete-secret", writingRoute(del, "/{app}/secret/{name}", "Delete a secret of an application", 204)), s.deleteSecret)

	addRoute(s, readJob, readingRoute(get, "/{app}/batch-components", "List the components to which jobs can refer: batchlets, readers, listeners ...", 200), s.listComponents)
	addRoute(s, deployApp, withUpload(writingRoute(post, "/{app}/batch-components", "Add jars to the current deployment; each jar is a part of a form, named file", 201), "multipart/form-data"), s.postComponents)
	addRoute(s, readJob, readingRoute(get, "/{app}/deployments", "List the last ten deployments of an application, newest first", 200), s.listDeployments)
	addRoute(s, deployApp, writingRoute(post, "/{app}/deployments", "Deploy stored jars", 201), s.postDeployment)
	addRoute(s, readJob, readingRoute(get, "/{app}/deployment/{number}", "Get a deployment of an application", 200), s.getDeployment)
	addRoute(s, deployApp, withID("put-current-deployment", writingRoute(put, "/{app}/deployment/{number}/current", "Make a deployment current again", 200)), s.makeCurrent)
	addRoute(s, deployAny, withUpload(writingRoute(put, "/artifact/{sha256}", "Store a jar", 200), jarType), s.putArtifact)
	addRoute(s, deployAny, withStream(readingRoute(get, "/artifact/{sha256}", "Download a jar", 200), jarType), s.getArtifact)

	addRoute(s, readJob, readingRoute(get, "/{app}/jobs", "List the jobs of an application", 200), s.listJobs)
	addRoute(s, readJob, withStream(readingRoute(get, "/{app}/jobs/download", "Download all jobs as one file", 200), "application/force-download"), s.download)
	addRoute(s, anyone, readingRoute(post, "/jobs/convert-xml", "Convert a diagram to job XML", 201), s.convertXML)
	addRoute(s, createJob, withDefinition(writingRoute(post, "/{app}/jobs", "Create or overwrite a job", 201)), s.postJob)
	addRoute(s, readJob, withDefinition(readingRoute(post, "/{app}/jobs/preview", "Preview the effect of a PUT of a job's file; nothing is written", 200)), s.previewJob)
	addRoute(s, readJob, withDefinition(readingRoute(get, job, "Get a job", 200)), s.getJob)
	addRoute(s, updateJob, withDefinition(writingRoute(put, job, "Create or overwrite a job", 200)), s.putJob)
	addRoute(s, readJob, withDefinition(readingRoute(get, job+"/definition", "Get the definition of a job", 200)), s.getDefinition)
	addRoute(s, readJob, withDefinition(readingRoute(get, job+"/file", "Get a job's file as PUT accepts it: definition, schedule, time monitor and notifications", 200)), s.getFile)
	addRoute(s, removeJob, writingRoute(del, job, "Delete a job with its schedule and history", 204), s.deleteJob)

	addRoute(s, readJob, readingRoute(get, job+"/settings", "Get the settings of a job that are not in its definition", 200), s.getSettings)
	addRoute(s, updateJob, writingRoute(put, job+"/settings/exclusive", "Allow only one execution of a job at a time", 200), s.putExclusive)
	addRoute(s, removeJob, writingRoute(del, job+"/settings/exclusive", "Allow several executions of a job at a time", 204), s.deleteExclusive)
	addRoute(s, updateJob, writingRoute(put, job+"/settings/time-monitor", "Set the time monitor of a job: what the bus does if an execution takes too long", 200), s.putTimeMonitor)
	addRoute(s, removeJob, writingRoute(del, job+"/settings/time-monitor", "Remove the time monitor of a job", 204), s.deleteTimeMonitor)
	addRoute(s, updateJob, writingRoute(put, job+"/settings/triggers", "Set the triggers of a job: the jobs whose executions start it", 200), s.putTriggers)
	addRoute(s, removeJob, writingRoute(del, job+"/settings/triggers", "Remove the triggers of a job", 204), s.deleteTriggers)
	addRoute(s, updateJob, writingRoute(put, job+"/settings/sla", "Set what a job promises: an alert is raised for each promise that is not kept", 200), s.putSLA)
	addRoute(s, removeJob, writingRoute(del, job+"/settings/sla", "Remove what a job promises", 204), s.deleteSLA)
	addRoute(s, updateJob, writingRoute(put, job+"/settings/status-notification", "Add a status notification, or remove the one with this id", 200), s.putStatusNotification)
	addRoute(s, removeJob, writingRoute(del, job+"/settings/status-notification/{id}", "Remove a status notification", 204), s.deleteStatusNotification)

	addRoute(s, anyone, withID("get-all-executions", readingRoute(get, "/executions", "List the executions of all applications that the user may read, newest first", 200)), s.listAllExecutions)
	addRoute(s, readJob, withID("get-app-executions", readingRoute(get, "/{app}/executions", "List the executions of an application, newest first", 200)), s.listAppExecutions)
	addRoute(s, readJob, readingRoute(get, job+"/executions", "List the executions of a job, newest first", 200), s.listExecutions)
	addRoute(s, executeJob, withLaterAudit(withQuickLookup(writingRoute(post, job+"/executions", "Start an execution", 201))), s.postExecution)
	addRoute(s, removeJob, writingRoute(del, job+"/executions", "Delete the ended executions of a job", 204), s.deleteExecutions)
	addRoute(s, readJob, readingRoute(get, exec, "Get an execution", 200), s.getExecution)
	addRoute(s, executeJob, withLaterAudit(writingRoute(put, exec+"/stop", "Stop an execution", 200)), s.stopExecution)
	addRoute(s, executeJob, withLaterAudit(writingRoute(put, exec+"/abandon", "Abandon an execution that is not running", 200)), s.abandonExecution)
	addRoute(s, executeJob, withLaterAudit(writingRoute(put, exec+"/alert", "Send the alert of the job's time monitor for an execution", 200)), s.alertExecution)
	addRoute(s, executeJob, withLaterAudit(writingRoute(put, exec+"/restart", "Restart an execution: a new execution continues where this one ended", 201)), s.restartExecution)
	addRoute(s, readJob, readingRoute(get, "/{app}/execution/{id}", "Get an execution by its id alone", 200), s.findExecution)
	addRoute(s, readJob, readingRoute(get, "/{app}/execution/{id}/why", "Explain why an execution was started, and why it waits, runs or has ended", 200), s.explainExecution)
	addRoute(s, readJob, withStream(readingRoute(get, exec+"/log", "Get the output of an execution", 200), "text/plain", sse.EventStream, "application/json", "application/edn", "application/yaml"), s.getLog)
	addRoute(s, readJob, withStream(readingRoute(get, "/{app}/execution/{id}/log", "Get the output of an execution by its id alone", 200), "text/plain", sse.EventStream, "application/json", "application/edn", "application/yaml"), s.findLog)

	addRoute(s, readJob, readingRoute(get, job+"/schedules", "List the schedules of a job", 200), s.listSchedules)
	addRoute(s, executeJob, writingRoute(post, job+"/schedules", "Add a schedule to a job", 201), s.postNamedSchedule)
	addRoute(s, readJob, withID("get-named-schedule", readingRoute(get, named, "Get a schedule of a job", 200)), s.getNamedSchedule)
	addRoute(s, executeJob, withID("put-named-schedule", writingRoute(put, named, "Create or replace a schedule of a job", 200)), s.putNamedSchedule)
	addRoute(s, executeJob, withID("delete-named-schedule", writingRoute(del, named, "Remove a schedule of a job", 204)), s.deleteNamedSchedule)
	addRoute(s, executeJob, withID("pause-named-schedule", writingRoute(put, named+"/pause", "Pause a schedule of a job", 200)), s.pauseNamedSchedule)
	addRoute(s, executeJob, withID("resume-named-schedule", writingRoute(put, named+"/resume", "Resume a schedule of a job", 200)), s.resumeNamedSchedule)
	addRoute(s, executeJob, writingRoute(post, sched, "Create or replace the default schedule of a job", 201), s.postSchedule)
	addRoute(s, executeJob, writingRoute(put, sched, "Create or replace the default schedule of a job", 200), s.putSchedule)
	addRoute(s, executeJob, writingRoute(del, sched, "Remove the default schedule of a job", 204), s.deleteSchedule)
	addRoute(s, executeJob, writingRoute(put, sched+"/pause", "Pause the default schedule of a job", 200), s.pauseSchedule)
	addRoute(s, executeJob, writingRoute(put, sched+"/resume", "Resume the default schedule of a job", 200), s.resumeSchedule)
	addRoute(s, anyone, withID("get-schedule-pauses", readingRoute(get, "/schedules/pauses", "List the pauses that are on: of all schedules, and of applications that the user may read", 200)), s.listPauses)
	addRoute(s, pauseEverything, withID("pause-all-schedules", writingRoute(put, "/schedules/pause", "Pause all schedules of all applications", 200)), s.pauseAll)
	addRoute(s, pauseEverything, withID("resume-all-schedules", writingRoute(put, "/schedules/resume", "End the pause of all schedules; pauses of applications and of single schedules stay", 200)), s.resumeAll)
	addRoute(s, readJob, withID("get-app-schedule-pauses", readingRoute(get, "/{app}/schedules/pauses", "List the pauses that hold back the schedules of an application", 200)), s.listAppPauses)
	addRoute(s, executeJob, withID("pause-app-schedules", writingRoute(put, "/{app}/schedules/pause", "Pause all schedules of an application", 200)), s.pauseApp)
	addRoute(s, executeJob, withID("resume-app-schedules", writingRoute(put, "/{app}/schedules/resume", "End the pause of an application; the pause of all schedules and those of single ones stay", 200)), s.resumeApp)
	addRoute(s, readJob, readingRoute(get, job+"/fires", "List the past fire times of a job's schedules with their outcome, newest first", 200), s.listFires)
	addRoute(s, readJob, readingRoute(get, job+"/backfill", "Say how far the backfills of a job are, newest first", 200), s.listBackfills)
	addRoute(s, executeJob, writingRoute(post, job+"/backfill", "Fire past nominal times of a schedule that have no execution", 200), s.postBackfill)
	addRoute(s, executeJob, writingRoute(del, job+"/backfill", "Cancel what still waits of the backfills of a job", 200), s.cancelBackfill)
	addRoute(s, anyone, readingRoute(get, "/forecast", "List what the schedules of all applications that the user may read are going to fire, by time", 200), s.forecast)
	addRoute(s, readJob, readingRoute(get, job+"/why", "Explain why a job did or did not start", 200), s.explainJob)

	addRoute(s, executeJob, withLaterAudit(writingRoute(post, "/test-executions", "Test a diagram: run its job without the work of its steps", 201)), s.postTestExecution)
	addRoute(s, readJob, readingRoute(get, "/test-execution/{id}", "Get the status of a test execution", 200), s.getTestExecution)
	addRoute(s, executeJob, withLaterAudit(writingRoute(del, "/test-execution/{id}", "Stop a test execution and delete it", 204)), s.deleteTestExecution)

	addRoute(s, readCalendar, withDefinition(readingRoute(get, "/calendars", "List the calendars, ordered by name", 200)), s.listCalendars)
	addRoute(s, readCalendar, withDefinition(withStream(readingRoute(get, "/calendars/download", "Download all calendars as one file", 200), "application/force-download")), s.downloadCalendars)
	addRoute(s, writeCalendar, withDefinition(writingRoute(post, "/calendars", "Create or overwrite a calendar", 201)), s.postCalendar)
	addRoute(s, readCalendar, withDefinition(readingRoute(get, "/calendar/{name}", "Get a calendar", 200)), s.getCalendar)
	addRoute(s, writeCalendar, withDefinition(writingRoute(put, "/calendar/{name}", "Create, overwrite or rename a calendar", 200)), s.putCalendar)
	addRoute(s, writeCalendar, writingRoute(del, "/calendar/{name}", "Delete a calendar that nothing uses", 204), s.deleteCalendar)
	addRoute(s, readCalendar, withDefinition(readingRoute(get, "/calendar/{name}/preview", "Preview a year of a calendar: its holidays and why they are holidays", 200)), s.previewCalendar)

	addRoute(s, anyone, readingRoute(post, "/schedule/preview", "Preview when a schedule would fire", 200), s.previewFires)

	addRoute(s, anyone, readingRoute(get, "/limits", "List the limits, ordered by name, with the executions that hold them", 200), s.listLimits)
	addRoute(s, anyone, withID("get-limit", readingRoute(get, "/limit/{name}", "Get a limit", 200)), s.getLimit)
	addRoute(s, writeLimit, withID("put-limit", writingRoute(put, "/limit/{name}", "Create a limit or change its capacity", 200)), s.putLimit)
	addRoute(s, writeLimit, withID("delete-limit", writingRoute(del, "/limit/{name}", "Delete a limit that no job and no execution uses", 204)), s.deleteLimit)

	addRoute(s, anyone, readingRoute(get, "/agents", "List the agents, ordered by name", 200), s.listAgents)
	addRoute(s, anyone, readingRoute(get, "/agent/{id}", "Get an agent by its name or its instance id", 200), s.getAgent)
	addRoute(s, blockAgents, writingRoute(put, "/agent/{id}/block", "Stop an agent from taking new work", 200), s.blockAgent)
	addRoute(s, blockAgents, writingRoute(put, "/agent/{id}/unblock", "Let an agent take new work again", 200), s.unblockAgent)
	addRoute(s, anyone, withID("get-agent-monitor", withStream(readingRoute(get, "/agent/{id}/monitor/{figure}/{cycle}", "Draw a chart of an agent's load or memory", 200), "image/png")), s.getPicture)

	addRoute(s, anyone, readingRoute(get, "/alerts", "List the alerts of the applications that the user may read, newest first", 200), s.listAlerts)
	addRoute(s, anyone, readingRoute(get, "/notifications/senders", "List the senders of notifications that the control bus has", 200), s.listSenders)
	addRoute(s, anyone, readingRoute(get, "/notifications/dead", "List the notifications that were not sent, newest first", 200), s.listDeadNotifications)
	addRoute(s, testNotifications, writingRoute(post, "/notifications/test", "Send a test notification; the answer says what became of it", 200), s.postTestNotification)
	addRoute(s, testNotifications, writingRoute(post, "/notifications/resend", "Send dead notifications again; the answer says which were refused", 200), s.postResend)

	addRoute(s, readJob, withStream(readingRoute(get, "/events", "Stream the changes of executions", 200), sse.EventStream), s.getEvents)
}

// traits are the properties of a route that its handler's types do not show.
type traits struct {
	readsOnly    bool // the handler changes nothing
	auditedLater bool // the answer does not wait for the row in the audit
	quick        bool // the read model may name the job, although the route writes
	definition   bool // body or answer is the definition of a job or a calendar, which XML can hold
	signsIn      bool // the body decides the format of the answer
	streams      bool // the answer has a media type of its own

	foreignQuery bool // others add query parameters
	asksUser     bool // may answer with a page for browsers
	fullQuery    bool // no query parameter may be empty
}

const traitsKey = "traits"

// traitsOf returns the traits of a route. The caller may change them while the
// route is being declared.
func traitsOf(op *huma.Operation) *traits {
	t, _ := op.Metadata[traitsKey].(*traits)
	return t
}

// audited reports whether requests of the route have rows in the audit.
func (t *traits) audited() bool { return !t.readsOnly || t.auditedLater }

// writingRoute declares a route that changes something.
func writingRoute(method, path, summary string, status int) huma.Operation {
	id := strings.NewReplacer("{app}", "", "{job}", "", "{id}", "", "{name}", "", "{number}", "", "{sha256}", "", "/", "-", ".", "-").Replace(strings.ToLower(method) + path)
	parts := slices.DeleteFunc(strings.Split(id, "-"), func(s string) bool { return s == "" })
	return huma.Operation{
		Method: method, Path: path, Summary: summary, DefaultStatus: status,
		OperationID: strings.Join(parts, "-"), Tags: []string{tagOf(path)},
		Metadata: map[string]any{traitsKey: &traits{}},
	}
}

func tagOf(path string) string {
	for _, tag := range []string{"execution", "schedule", "agent", "job", "event", "user", "calendar", "notification", "alert"} {
		if strings.Contains(path, "/"+tag) {
			return tag + "s"
		}
	}
	if strings.Contains(path, "app") {
		return "applications"
	}
	return "control bus"
}

// readingRoute declares a route that only reads, whatever its method.
func readingRoute(method, path, summary string, status int) huma.Operation {
	op := writingRoute(method, path, summary, status)
	traitsOf(&op).readsOnly = true
	return op
}

// withQuickLookup lets the read model name the job of a route that writes.
func withQuickLookup(op huma.Operation) huma.Operation {
	traitsOf(&op).quick = true
	return op
}

// withLaterAudit lets the row of a request follow its answer. It is for requests
// that are frequent, and for logins, which must work while rows cannot be stored.
// A route that only reads is audited too then: the GET that ends a login.
func withLaterAudit(op huma.Operation) huma.Operation {
	traitsOf(&op).auditedLater = true
	return op
}

// withDefinition declares that body or answer is the definition of a job or a
// calendar.
func withDefinition(op huma.Operation) huma.Operation {
	traitsOf(&op).definition = true
	return op
}

// withID gives a route an operation id other than the one made from its path.
func withID(id string, op huma.Operation) huma.Operation {
	op.OperationID = id
	return op
}

// withFullQuery declares that an empty query parameter is an error: a filter
// whose value got lost must not select everything.
func withFullQuery(op huma.Operation) huma.Operation {
	traitsOf(&op).fullQuery = true
	return op
}

// withPage declares that the route may also answer with a page for browsers.
func withPage(op huma.Operation) huma.Operation {
	traitsOf(&op).asksUser = true
	return op
}

// withSignIn declares that the body decides the format of the answer.
func withSignIn(op huma.Operation) huma.Operation {
	traitsOf(&op).signsIn = true
	return op
}

// withForeignQuery accepts unknown query parameters.
func withForeignQuery(op huma.Operation) huma.Operation {
	traitsOf(&op).foreignQuery = true
	return op
}

// withUpload declares that the handler reads the body as a stream.
func withUpload(op huma.Operation, media string) huma.Operation {
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{media: {}}}
	return op
}

// withStream declares that the answer has one of these media types, whatever
// Accept says.
func withStream(op huma.Operation, media ...string) huma.Operation {
	traitsOf(&op).streams = true
	content := map[string]*huma.MediaType{}
	for _, m := range media {
		content[m] = &huma.MediaType{}
	}
	op.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: content}}
	return op
}

// reserved are first segments of paths that are not names of applications, now
// or in a later version.
var reserved = []string{
	"account", "agent", "agent-token", "agent-tokens", "agents", "alert", "alerts", "api", "app", "apps", "artifact", "artifacts", "assets", "audit", "auth", "calendar", "calendars",
	"console", "docs", "event", "events", "execution", "executions", "favicon", "forecast", "healthcheck", "job", "jobs", "limit", "limits", "login",
	"logout", "metrics", "notification", "notifications", "oauth", "openapi", "ready", "robots", "schedule", "schedules", "schemas", "settings", "static",
	"stats", "status", "test-execution", "test-executions", "token", "tokens", "user", "users", "version", "ws",
}

const wantName = "1 to 128 characters from A-Z a-z 0-9 _ -"

// checkAppName checks the name of a new application.
func checkAppName(f *codec.Faults, at, name string) {
	switch {
	case !subjects.ValidName(name):
		f.Add(at, wantName, name)
	case slices.Contains(reserved, name):
		f.Add(at, "a name that is not the first segment of another path of this API", name)
	}
}
