// Package crashtest kills real processes: a bus and its agents, which speak to
// a NATS server in the test's process.
//
//	client --HTTP--> bus process --proxy--+
//	                                      +--> NATS in the test
//	evidence <--job-- agent process --proxy--+
//
// A proxy reads what passes between one process and NATS, and kills the process
// (SIGKILL) before or after exactly one message of the protocol: after it was
// stored, but before its acknowledgement comes back. So the products need no
// hooks, and a crash point is a row of a table ([TestCrashPoints]). [TestChaos]
// kills, pauses and restarts at random.
//
// What must hold is judged by three witnesses. Each job appends a line to a
// file, the evidence, in one write: at most one an attempt and step. RESULTS:
// one claim an attempt, a new attempt only behind a fence, nothing after an
// end. Records: every execution that was answered with 201 has one, it has
// ended, and it says what RESULTS says.
package crashtest
