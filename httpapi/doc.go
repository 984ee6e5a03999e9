// Package httpapi is the REST API of the control bus.
//
//	           routes.go                  bodies.go                                bus, index,
//	request --> Echo --> huma: path, --> body by its --> handler(ctx, input) --> execution,
//	                     query, header   Content-Type    returns output, error   scheduler
//	                          |               |                 |
//	                          +---- faults ---+----- error -----+--> problemOf --> answer by Accept
//
// A handler takes values and returns values. It knows no format, chooses no
// status for a failure, and does not see Echo, which only echo.go uses. Huma
// makes the OpenAPI document from the types of the handlers (package rest), so
// the document cannot differ from what the API reads and writes.
//
// The table in routes.go declares what a route is: its permission, whether it
// only reads, whether its body or answer is a job definition. Everything that
// depends on such a property asks the table. A body type has a method Validate.
// A handler for a job gets a [JobRef], which addRoute resolves before.
//
// # Formats
//
// negotiate chooses the format of an answer. Package codec has the table of
// formats, and one strict reader: it converts EDN and YAML to JSON, and then
// refuses unknown names, repeated names and values of the wrong kind. It
// reports all of them at once, each with its JSON pointer. Package jsl does the
// same for job definitions, in XML too. The tags in package rest define what
// answers look like.
//
// Clients of the original control bus ("v1 clients") speak EDN. Package v1 has
// what they expect besides: 201 for each PUT, other defaults of parameters,
// their words for a job. See answered.
//
// # Preconditions
//
// The entity tag of a job or an application is the revision of its key. An
// If-Match that does not hold is answered with 412 (RFC 9110 section 13.1.1).
// If-None-Match: * only creates. If there is something already, the answer is
// 409 like any other conflict here, where the RFC has 412. Without a
// precondition, a write replaces what is there.
//
// # Logins
//
//	request --> host (echo.go) --> router --> checkAccess (permission.go) --> huma, handler
//
// Each route declares its permission. A route without one is for nobody, and an
// unknown path needs a login. Without [Config.RequireLogin] everybody is an
// admin, and POST /auth accepts everybody, since v1 clients always log in
// first. Package login checks passwords, tokens and keys.
//
// A request that changes something without a valid token or key must come from
// a program, or from a page of the control bus or of the allowed origin; without
// a login it must also name a host of the control bus. See package origin.
//
// # Streams
//
// Package sse sends /events and logs. They end at once when the server shuts
// down. The bus checks the permission when a stream begins: a stream that has
// begun goes on when the login ends.
package httpapi
