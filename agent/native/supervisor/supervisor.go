// Package supervisor runs a process so that the process and all its descendants
// end together. It works on Linux only.
//
//	agent --fork--> supervisor --fork--> process --> its children
//	  |  control pipe -->|  <---- adopts what they leave behind
//	  |<-- report pipe --|
//
// The supervisor is the program itself, run again; a program needs only to
// import this package (see package child). It is a "child subreaper"
// (prctl(2)): a process whose parent ends becomes its child, even after setsid
// or a double fork. So no descendant of the process can escape.
//
// The supervisor kills only its own children and reaps them itself, so the id
// of such a child cannot pass to another process meanwhile. The children of a
// killed child become children of the supervisor and are killed next. The
// supervisor reports the end when it has no children left.
//
// The agent holds the other end of the control pipe. When the pipe ends, the
// agent has died, even by kill -9; then the supervisor kills everything.
package supervisor

import (
	"fmt"
	"strings"
)

// Mark is an environment variable that each supervised process and its children
// have, with a value of their own.
const Mark = "JOBSTREAMER_SUPERVISOR"

// Stuck is a process that did not end although it was killed.
type Stuck struct {
	PID  int
	Name string
}

func (s Stuck) String() string { return fmt.Sprintf("%d (%s)", s.PID, strings.TrimSpace(s.Name)) }

// Status tells how a process ended.
type Status struct {
	Code   int    // as in a shell: 128 plus the number of a signal
	Signal string // the signal that killed it; empty if none did
}
