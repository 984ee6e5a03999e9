package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Exit statuses, listed by the help and by docs/cli.md. The last three follow
// sysexits.h (EX_UNAVAILABLE), timeout(1) and shells.
const (
	ExitOK          = 0
	ExitError       = 1   // it was refused, or something of several was
	ExitUsage       = 2   // a mistake in the command line
	ExitFailed      = 3   // the execution failed
	ExitStopped     = 4   // the execution was stopped or abandoned
	ExitDiffers     = 5   // job apply --dry-run --exit-code: something would change
	ExitAway        = 69  // the control bus cannot be reached, or NATS is away
	ExitTimeout     = 124 // --timeout is over; the execution goes on
	ExitInterrupted = 130 // Ctrl-C or SIGTERM; an execution goes on
)

// ExitHelp is what the help of all commands says of exit statuses.
const ExitHelp = `Exit status: 0 success; 1 the request, or a part of it, was refused; 2 invalid command line; 3 the execution failed; 4 the execution was stopped
or abandoned; 5 job apply --dry-run --exit-code found changes; 69 the control bus or its NATS is unreachable; 124 --timeout expired; 130 interrupted.`

// printedError is an error whose text was printed.
type printedError struct{ status int }

func (e printedError) Error() string {
	return fmt.Sprintf("exit status %d, already reported", e.status)
}

// Is makes all of them ErrSaid.
func (e printedError) Is(target error) bool { return target == ErrPrinted }

// ErrPrinted ends a command with exit status 1; what it means was said.
var ErrPrinted error = printedError{ExitError}

// ExitStatus returns the exit status of a command that returned err.
func ExitStatus(err error) int {
	var s printedError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &s):
		return s.status
	case errors.As(err, new(UsageError)):
		return ExitUsage
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case isAway(err):
		return ExitAway
	}
	return ExitError
}

// executionExit is the exit status for an execution that ended.
func executionExit(s subjects.BatchStatus) int {
	switch s {
	case subjects.Completed:
		return ExitOK
	case subjects.Stopped, subjects.Abandoned:
		return ExitStopped
	}
	return ExitFailed
}
