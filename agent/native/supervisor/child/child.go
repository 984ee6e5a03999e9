// Package child is the supervisor as a process, see package supervisor.
//
// It imports next to nothing: Go initialises a package as soon as what it
// imports is, the first by name first, so this one is reached before package
// fmt and all that needs it. A supervisor is up in a few milliseconds, however
// large the program is, and touches little of its memory.
package child

// Argv0 is the name by which a program is called to be a supervisor. What
// follows says whether to keep what runs in the background, then the program to
// run and its arguments, its own name included.
const Argv0 = "jobstreamer-supervisor"

// Modes: what happens to processes that still run when the supervised one has
// ended by itself.
const (
	ModeEnd   = "end"
	ModeKeep  = "keep"
	ModeCheck = "check" // run nothing: say that supervisors work here
)

// What the agent writes to the control pipe, a byte each.
const (
	Ask  = 't' // SIGTERM
	Kill = 'k' // SIGKILL
)

// What the supervisor writes to the report pipe, a line each.
const (
	Started  = "started" // <pid>
	Failed   = "failed"  // <errno>: the process could not be started
	Stuck    = "stuck"   // <pid> <name>: it does not end although it was killed, or may not be killed
	Exited   = "exited"  // <code>
	Signaled = "killed"  // <number>
)
