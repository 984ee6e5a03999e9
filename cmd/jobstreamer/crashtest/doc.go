// Package crashtest kills real processes: a bus and its agents, which use a NATS
// server in the test's process.
//
//	client --HTTP--> bus process --proxy--+
//	                                      +--> NATS in the test
//	evidence <--job-- agent process --proxy--+
//
// A proxy reads the messages between one process and NATS. It kills the process
// (SIGKILL) before or after exactly one message of the protocol; after means
// that the message was stored, but its acknowledgement has not come back. So the
// program needs no hooks, and a crash point is a row of a table
// ([TestCrashPoints]). [TestChaos] kills, pauses and restarts at random.
//
// Three sources are compared after each test. Evidence: each step appends one
// line to a file, in one write, at most once for each attempt. RESULTS: there is
// one claim for each attempt, a new attempt begins only after a fence, and
// nothing follows an end. Execution records: each execution that was answered
// with 201 has a record, it has ended, and the record agrees with RESULTS.
package crashtest
