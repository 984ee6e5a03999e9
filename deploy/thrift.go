package deploy

import (
	"runtime/debug"
	"sync"
)

// thrift is how much garbage there may be while jars are stored and read, in
// percent of what lives.
const thrift = 25

// collector is the process's, of which there is one.
var collector struct {
	sync.Mutex
	users  int
	before int
}

// thrifty has garbage collected early until the returned function is called.
// The program lets garbage grow to four times of what lives. A class path of
// 200 MB passes through the process, and the server in it, about five times,
// and what the server keeps of a block that it read lives for two collections
// more: that grew the process by 680 MiB.
func thrifty() (done func()) {
	c := &collector
	c.Lock()
	defer c.Unlock()
	if c.users++; c.users == 1 {
		if c.before = debug.SetGCPercent(thrift); c.before < thrift { // off, or more thrifty: somebody's choice
			debug.SetGCPercent(c.before)
		}
	}
	return func() {
		c.Lock()
		defer c.Unlock()
		if c.users--; c.users == 0 {
			debug.SetGCPercent(c.before)
		}
	}
}
