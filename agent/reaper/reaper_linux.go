package reaper

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"unsafe"
)

// forwarded are the signals that process 1 passes on to the program.
var forwarded = []os.Signal{
	syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
}

// Main returns at once unless the program is process 1. Then it runs the
// program again as a child, passes signals on to it, waits for all processes
// whose parents have ended, and exits as the child does. Call it first in main.
func Main() {
	if os.Getpid() == 1 {
		os.Exit(reapChildren())
	}
}

func reapChildren() int {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded...)
	pid, err := syscall.ForkExec("/proc/self/exe", os.Args, &syscall.ProcAttr{
		Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: programAttributes(),
	})
	if err != nil {
		fmt.Fprintf(os.Stderr, "cannot run the program as a child of process 1: %v\n", err)
		return 1
	}
	go func() {
		for s := range signals {
			_ = syscall.Kill(pid, s.(syscall.Signal)) // the program may just have ended
		}
	}()
	for {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(-1, &status, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			fmt.Fprintf(os.Stderr, "process 1 cannot wait for the program: %v\n", err)
			return 1
		case ended != pid: // nobody asks how it ended
		case status.Signaled():
			return 128 + int(status.Signal())
		default:
			return status.ExitStatus()
		}
	}
}

// programAttributes puts the program into a group of its own, at a terminal
// into the foreground: a Ctrl-C is meant for it alone, and comes once.
func programAttributes() *syscall.SysProcAttr {
	var group int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, 0, syscall.TIOCGPGRP, uintptr(unsafe.Pointer(&group)))
	return &syscall.SysProcAttr{Setpgid: true, Foreground: errno == 0}
}
