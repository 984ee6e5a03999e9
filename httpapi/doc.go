// Package httpapi is the REST API of the control bus.
//
//	           routes.go                  format.go                                bus, index,
//	request --> Echo --> huma: path, --> body by its --> handler(ctx, input) --> execution,
//	                     query, header   Content-Type    returns output, error   scheduler
//	                          |               |                 |
//	                          +---- faults ---+----- error -----+--> problemOf --> answer by Accept
//
// A handler takes values and returns values: it knows no format, chooses no
// status for a failure and sees nothing of Echo, which is in echo.go alone. The
// OpenAPI document is made from the handlers' own types (package rest), so it
// cannot say anything else than what is read and written.
//
// # Formats
//
// Which format answers is decided in one place (negotiate), and each is a row
// of the table formats. Strings of bytes become values by one strict reader:
// EDN and YAML are turned into the JSON that they stand for, and then unknown
// names, names that are there twice and values of the wrong kind are refused,
// all of them at once, each with its JSON pointer. Job definitions go to
// package jsl, which does the same for the job language, in XML too. What is
// written is what the tags of package rest say.
//
// EDN is what clients of the original control bus speak. What they expect
// besides (201 for each PUT, bare vectors, parameters that they do not send,
// keys that we do not know) is in the codec: see answered, ednDefaults and
// reader.unknown.
//
// # Preconditions
//
// The entity tag of a job or an application is the revision of its key.
// If-Match that does not hold is 412, as RFC 9110 section 13.1.1 wants it.
// If-None-Match: * asks to create and nothing else; that something is there
// already is a conflict like any other here, 409, where the RFC would have 412.
// Without either, a definition is overwritten.
//
// # Logins
//
//	request --> cors --> router --> admit (permission.go): who, and may he? --> huma, handler
//
// Each route is declared with the permission that it needs; one without a
// permission is for nobody, and a path that is no route needs a login. Without
// [Config.RequireLogin] there is no admit, and POST /auth lets everybody in:
// clients of the original control bus log in first. What a login is judged by
// is package login. A request that changes something by the cookie must come
// from a page of ours or of the allowed origin.
//
// # Streams
//
// Package sse sends /events and logs. They end at once when the server shuts
// down. The bus checks the permission when a stream begins: a stream that has
// begun goes on when the login ends.
package httpapi
