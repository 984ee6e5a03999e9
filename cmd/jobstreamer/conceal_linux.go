package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/job-streamer/job-streamer-control-bus/agent/native"
)

// concealProcess prevents other processes, such as those of jobs, from reading
// the secrets of this one. The program's own copy of the environment,
// [os.Environ], does not change.
//
//	/proc/PID/environ   loses what processes of jobs do not get anyway
//	/proc/PID           belongs to root (PR_SET_DUMPABLE): no other process of
//	                    the same user can read memory, environment and files of
//	                    this process, attach a debugger, or get a core dump
//
// Root can still read memory.
func concealProcess() error {
	err := blankEnvironment()
	if dumpErr := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); dumpErr != nil {
		return fmt.Errorf("PR_SET_DUMPABLE: %w", dumpErr)
	}
	return err
}

// blankEnvironment overwrites variables in the memory where the kernel stored
// the environment, which /proc/PID/environ shows.
func blankEnvironment() error {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return err
	}
	// After the name in brackets comes field 3, the state. Fields 50 and 51 are
	// env_start and env_end (proc_pid_stat(5)).
	const state, envStart, envEnd = 3, 50, 51
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(f) <= envEnd-state {
		return fmt.Errorf("/proc/self/stat has no field %d", envEnd)
	}
	start, err := strconv.ParseInt(f[envStart-state], 10, 64)
	if err != nil {
		return err
	}
	end, err := strconv.ParseInt(f[envEnd-state], 10, 64)
	if err != nil || end <= start {
		return err
	}
	memory, err := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer memory.Close()
	environ := make([]byte, end-start)
	if _, err := memory.ReadAt(environ, start); err != nil {
		return err
	}
	for rest := environ; len(rest) > 0; {
		variable, more, _ := bytes.Cut(rest, []byte{0})
		if name, _, _ := strings.Cut(string(variable), "="); !native.IsPublic(name) {
			clear(variable)
		}
		rest = more
	}
	_, err = memory.WriteAt(environ, start)
	return err
}
