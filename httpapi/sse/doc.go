// Package sse sends what happens to HTTP clients as it happens: changes of
// executions, and the output of jobs.
//
//	record of an execution --> EXECUTIONS bucket --+
//	                                               +--> ordered consumer --> Stream.Send --> client
//	lines of an agent -------> LOGS stream --------+         |
//	                                                         +--> Log.ReadPage --> a page of lines
//
// An event is a record of an execution, and its id is the record's revision; an
// event of a log is one line, and its id is the sequence of the line's message.
// With that id in Last-Event-ID a client resumes where it was.
//
// Each client has an ordered consumer of its own, so a slow client holds up
// nobody else. A client that takes more than ten seconds for one write is
// dropped. An idle stream sends a comment every 15 seconds, by which proxies
// and clients see that it is alive.
//
// The package knows neither routes nor parameters: package httpapi reads them,
// and decides who may open a stream.
package sse
