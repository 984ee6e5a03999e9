package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
)

// maxPassword is the maximum number of bytes to read from standard input. No
// password is longer.
const maxPassword = 4096

// passwordFlag defines --password-stdin. No flag takes the password as its
// value, because other users of the machine can read command lines.
func passwordFlag(cmd *cobra.Command, fromInput *bool) {
	help.Section(cmd.Flags(), "Options", func(f *pflag.FlagSet) {
		f.BoolVar(fromInput, "password-stdin", false, "read the password from standard input")
	})
}

// readPassword reads a password from standard input, or asks for it on the
// terminal: twice if it is new.
func (inv *invocation) readPassword(of string, fromInput, isNew bool) (string, error) {
	if fromInput {
		lines, err := inv.readPasswordLines()
		if err == nil && len(lines) != 1 {
			err = usageErrorf("--password-stdin: want the password on one line")
		}
		if err != nil {
			return "", err
		}
		return lines[0], nil
	}
	in, ok := inv.In.(*os.File)
	if !ok || !IsTerminal(inv.In) || !IsTerminal(inv.Err) {
		return "", usageErrorf("there is no terminal to ask for the password of %s; pass it on standard input with --password-stdin", of)
	}
	question := "Password of " + of + ": "
	if isNew {
		question = "New password of " + of + ": "
	}
	first, err := inv.askSecret(in, question)
	if err != nil || !isNew {
		return first, err
	}
	again, err := inv.askSecret(in, "Repeat the new password: ")
	if err == nil && again != first {
		err = usageErrorf("the passwords do not match")
	}
	return first, err
}

// readPasswordLines reads the lines of standard input, none if they are too
// long or one is empty.
func (inv *invocation) readPasswordLines() ([]string, error) {
	data, err := io.ReadAll(io.LimitReader(inv.In, maxPassword+1))
	if err != nil {
		return nil, fmt.Errorf("read the password: %w", err)
	}
	lines := strings.Split(strings.ReplaceAll(strings.TrimRight(string(data), "\r\n"), "\r\n", "\n"), "\n")
	if len(data) > maxPassword || slices.Contains(lines, "") {
		return nil, nil
	}
	return lines, nil
}

// readNewPassword reads a new password and, if it is the user's own, the
// present one before it.
func (inv *invocation) readNewPassword(user string, own, fromInput bool) (is rest.NewPassword, err error) {
	switch {
	case !own:
		is.Password, err = inv.readPassword(user, fromInput, true)
	case fromInput:
		lines, err := inv.readPasswordLines()
		if err == nil && len(lines) != 2 {
			err = usageErrorf("--password-stdin: want the present password on the first line and the new one on the second")
		}
		if err != nil {
			return is, err
		}
		is.Old, is.Password = lines[0], lines[1]
	default:
		if is.Old, err = inv.readPassword(user, false, false); err == nil {
			is.Password, err = inv.readPassword(user, false, true)
		}
	}
	return is, err
}

// askSecret reads a line from a terminal without echo. It restores the echo if
// the command is interrupted.
func (inv *invocation) askSecret(in *os.File, question string) (string, error) {
	fd := int(in.Fd())
	was, err := term.GetState(fd)
	if err != nil {
		return "", fmt.Errorf("ask for a password: %w", err)
	}
	fmt.Fprint(inv.Err, question)
	type typed struct {
		line []byte
		err  error
	}
	done := make(chan typed, 1)
	go func() { // ends with the line, or with the program
		line, err := term.ReadPassword(fd)
		done <- typed{line, err}
	}()
	select {
	case t := <-done:
		fmt.Fprintln(inv.Err)
		if t.err != nil {
			return "", fmt.Errorf("ask for a password: %w", t.err)
		}
		return string(bytes.TrimRight(t.line, "\r\n")), nil
	case <-inv.ctx.Done():
		_ = term.Restore(fd, was)
		fmt.Fprintln(inv.Err)
		return "", context.Canceled
	}
}
