package supervisor

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// markedTime limits how long KillMarked waits for killed processes to end.
const markedTime = 5 * time.Second

// KillMarked kills the processes that have the variable in their initial
// environment, including those that they start meanwhile. It calls found for
// each process before killing it. It returns the processes that do not end.
func KillMarked(variable string, found func(pid int)) (stuck []int) {
	for end := time.Now().Add(markedTime); ; time.Sleep(10 * time.Millisecond) {
		pids := findMarked(variable)
		if len(pids) == 0 || time.Now().After(end) {
			return pids
		}
		for _, pid := range pids {
			found(pid)
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
		}
	}
}

// findMarked returns the processes that have the variable. A process that has
// ended but was not reaped has no environment.
func findMarked(variable string) []int {
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
