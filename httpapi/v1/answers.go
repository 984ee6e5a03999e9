package v1

import (
	"net/http"
	"slices"
	"strings"
)

// Status returns the status that v1 clients expect in place of ours: 201 for
// each PUT that succeeds, and 400 for all that is wrong with a body.
func Status(method string, status int) int {
	switch {
	case method == http.MethodPut && status == http.StatusOK:
		return http.StatusCreated
	case status == http.StatusUnprocessableEntity:
		return http.StatusBadRequest
	}
	return status
}

// RouteStatus returns the status that v1 clients expect of a route in place of
// ours, before [Status] is applied: they show why a calendar cannot be deleted
// only with 400.
func RouteStatus(method, path string, status int) int {
	if method == http.MethodDelete && path == "/calendar/{name}" && status == http.StatusConflict {
		return http.StatusBadRequest
	}
	return status
}

// namespaces are those of the keywords that v1 clients send.
var namespaces = []string{
	"db", "application", "job", "schedule", "calendar", "job-execution", "step-execution", "agent", "time-monitor", "status-notification", "user",
}

// Ignores reports whether a body in EDN may have a keyword that the API does
// not know. V1 clients send back whole objects as they once received them.
func Ignores(keyword string) bool {
	namespace, _, found := strings.Cut(keyword, "/")
	return found && slices.Contains(namespaces, namespace)
}

// defaults are the parameters that v1 clients do not send, by name and route.
var defaults = map[string]string{
	"with /{app}/jobs":                     "execution",
	"with /{app}/job/{job}/execution/{id}": "logs",
	"with /{app}/job/{job}/executions":     "parameters",
	"with /{app}/execution/{id}":           "logs",
	"limit /apps":                          "1000", // an EDN vector cannot say that there is more
	"limit /agents":                        "1000",
	"limit /calendars":                     "1000",
}

// Default returns the value that v1 clients expect of a parameter that they do
// not send, on the route with this path.
func Default(parameter, path string) string { return defaults[parameter+" "+path] }
