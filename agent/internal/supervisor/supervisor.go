// Package supervisor holds a process and everything that it starts, so that all of it ends together.
//
//	agent --fork--> supervisor --fork--> process --> its children
//	  |  control pipe -->|  <---- adopts what they leave behind
//	  |<-- report pipe --|
//
// The supervisor is the program itself, run again: importing this package makes a program able to be one (init looks at the name
// that it was called by). It is a "child subreaper" (prctl(2)): a process whose parent ends becomes its child, also
// after setsid or a double fork. So nothing that the process has started can leave it.
//
// The supervisor kills only its own children, and waits for them itself: the id of such a child cannot become another
// process's meanwhile. What a killed child leaves behind becomes a child in turn, and is killed next. The supervisor
// reports the end when it has no children left.
//
// The agent holds the other end of the control pipe. The pipe's end means that the agent has died, even by kill -9: then
// the supervisor kills everything. This exists on Linux alone.
package supervisor

import (
	"fmt"
	"strings"
)

// argv0 is the name by which a program is called to be a supervisor. What follows says whether to keep what runs in the background, then the
// program to run and its arguments, its own name included.
const argv0 = "jobstreamer-supervisor"

// Modes: what happens to processes that still run when the supervised one has ended by itself.
const (
	modeEnd   = "end"
	modeKeep  = "keep"
	modeCheck = "check" // run nothing: say that supervisors work here
)

// What the agent writes to the control pipe, a byte each.
const (
	ask  = 't' // SIGTERM
	kill = 'k' // SIGKILL
)

// What the supervisor writes to the report pipe, a line each.
const (
	reportStarted = "started" // <pid>
	reportFailed  = "failed"  // <errno>: the process could not be started
	reportStuck   = "stuck"   // <pid> <name>: it does not end although it was killed, or may not be killed
	reportExited  = "exited"  // <code>
	reportSignal  = "killed"  // <number>
)

// Stuck is a process that did not end.
type Stuck struct {
	PID  int
	Name string
}

func (s Stuck) String() string { return fmt.Sprintf("%d (%s)", s.PID, strings.TrimSpace(s.Name)) }

// Status is how a process ended.
type Status struct {
	Code   int    // as a shell counts it: 128 and the number of a signal
	Signal string // what killed it; empty if nothing did
}
