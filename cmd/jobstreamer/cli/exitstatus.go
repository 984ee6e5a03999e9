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
	ExitError       = 1   // the request, or a part of it, was refused
	ExitUsage       = 2   // invalid command line
	ExitFailed      = 3   // the execution failed
	ExitStopped     = 4   // the execution was stopped or abandoned
	ExitDiffers     = 5   // job apply --dry-run --exit-code: something would change
	ExitTampered    = 6   // audit verify: a row was changed, removed or moved
	ExitAway        = 69  // the control bus or its NATS cannot be reached
	ExitTimeout     = 124 // --timeout has expired; the execution continues
	ExitInterrupted = 130 // Ctrl-C or SIGTERM; an execution continues
)

// ExitHelp is the part of help texts about exit statuses.
const ExitHelp = `Exit status: 0 success; 1 the request, or a part of it, was refused; 2 invalid command line; 3 the execution failed; 4 the execution was stopped
or abandoned; 5 job apply --dry-run --exit-code found changes; 6 audit verify found a fault; 69 the control bus or its NATS is unreachable; 124 --timeout expired; 130 interrupted.`

// printedError is an error whose text was already printed.
type printedError struct{ status int }

func (e printedError) Error() string {
	return fmt.Sprintf("exit status %d, already reported", e.status)
}

// Is makes every printedError match ErrPrinted.
func (e printedError) Is(target error) bool { return target == ErrPrinted }

// ErrPrinted ends a command with exit status 1. Its reason was already printed.
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

// executionExit returns the exit status for an execution that has ended.
func executionExit(s subjects.BatchStatus) int {
	switch s {
	case subjects.Completed:
		return ExitOK
	case subjects.Stopped, subjects.Abandoned:
		return ExitStopped
	}
	return ExitFailed
}
