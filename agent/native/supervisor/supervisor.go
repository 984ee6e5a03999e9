// Package supervisor holds a process and everything that it starts, so that all
// of it ends together.
//
//	agent --fork--> supervisor --fork--> process --> its children
//	  |  control pipe -->|  <---- adopts what they leave behind
//	  |<-- report pipe --|
//
// The supervisor is the program itself, run again: importing this package makes
// a program able to be one (package child). It is a "child subreaper"
// (prctl(2)): a process whose parent ends becomes its child, also after setsid
// or a double fork. So nothing that the process has started can leave it.
//
// The supervisor kills only its own children, and waits for them itself: the id
// of such a child cannot become another process's meanwhile. What a killed
// child leaves behind becomes a child in turn, and is killed next. The
// supervisor reports the end when it has no children left.
//
// The agent holds the other end of the control pipe. The pipe's end means that
// the agent has died, even by kill -9: then the supervisor kills everything.
// This exists on Linux alone.
package supervisor

import (
	"fmt"
	"strings"
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
