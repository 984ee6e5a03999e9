package supervisor

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// markedTime is how long marked processes may take to end when they are killed.
const markedTime = 5 * time.Second

// KillMarked kills the processes that were started with a variable in their
// environment, and those that they start meanwhile; each is told to found
// first. It returns those that do not end.
func KillMarked(variable string, found func(pid int)) (stuck []int) {
	for end := time.Now().Add(markedTime); ; time.Sleep(10 * time.Millisecond) {
		pids := marked(variable)
		if len(pids) == 0 || time.Now().After(end) {
			return pids
		}
		for _, pid := range pids {
			found(pid)
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
		}
	}
}

// marked are the processes that have the variable. What has ended and is still
// to be waited for has no environment.
func marked(variable string) []int {
	var pids []int
	all, _ := os.ReadDir("/proc")
	for _, e := range all {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		env, err := os.ReadFile("/proc/" + e.Name() + "/environ")
		if err == nil && slices.Contains(strings.Split(string(env), "\x00"), variable) {
			pids = append(pids, pid)
		}
	}
	return pids
}
