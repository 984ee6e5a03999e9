// Package child is the supervisor process; see package supervisor.
//
// It imports as little as possible. Go initialises a package as soon as its
// imports are, in the order of their names, so this one is reached before
// package fmt and everything that needs it. Therefore a supervisor starts in a
// few milliseconds, however large the program is, and touches little of its
// memory.
package child

// Argv0 is the argument 0 that makes a program run as a supervisor. The next
// arguments are the mode, the user and the directory of the program to run, its
// path, and its arguments including its argument 0. The user is "UID GID", or
// empty for that of the supervisor; the directory is empty for that of the
// supervisor.
const Argv0 = "jobstreamer-supervisor"

// Modes say what happens to processes that still run when the supervised one
// has ended by itself.
const (
	ModeEnd   = "end"
	ModeKeep  = "keep"
	ModeCheck = "check" // run nothing: report that a supervisor can run
)

// Bytes that the agent writes to the control pipe.
const (
	Ask  = 't' // SIGTERM
	Kill = 'k' // SIGKILL
)

// First words of the lines that the supervisor writes to the report pipe.
const (
	Started  = "started" // <pid>
	Failed   = "failed"  // <errno>: the process could not be started
	Stuck    = "stuck"   // <pid> <name>: it survived SIGKILL, or must not be killed
	Exited   = "exited"  // <code>
	Signaled = "killed"  // <number>
)
