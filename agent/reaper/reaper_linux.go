package reaper

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"unsafe"
)

// forwardedSignals are the signals that process 1 passes on to the program.
var forwardedSignals = []os.Signal{
	syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
}

// Main returns immediately unless the program is process 1. As process 1 it
// never returns: it runs the program again as a child, passes signals on to it,
// reaps all processes whose parents have ended, and exits with the status of
// the child. Call it first in main.
func Main() {
	if os.Getpid() == 1 {
		os.Exit(runAndReap())
	}
}

// runAndReap runs the program as a child, reaps every process that ends, and
// returns the exit status of the program. As in a shell, that is 128 plus the
// number of the signal if a signal ended the program.
func runAndReap() int {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwardedSignals...)
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
		case ended != pid: // an orphan: nothing needs its status
		case status.Signaled():
			return 128 + int(status.Signal())
		default:
			return status.ExitStatus()
		}
	}
}

// programAttributes returns attributes that put the program into a process
// group of its own. At a terminal, that group is in the foreground. The program
// then receives a Ctrl-C once, from the terminal, and not again from process 1.
func programAttributes() *syscall.SysProcAttr {
	var group int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, 0, syscall.TIOCGPGRP, uintptr(unsafe.Pointer(&group)))
	return &syscall.SysProcAttr{Setpgid: true, Foreground: errno == 0}
}
