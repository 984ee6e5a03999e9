package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/help"
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
		data, err := io.ReadAll(io.LimitReader(inv.In, maxPassword+1))
		text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
		switch {
		case err != nil:
			return "", fmt.Errorf("read the password: %w", err)
		case text == "" || strings.ContainsAny(text, "\r\n") || len(data) > maxPassword:
			return "", usageErrorf("--password-stdin: want the password on one line")
		}
		return text, nil
	}
	in, ok := inv.In.(*os.File)
	if !ok || !IsTerminal(inv.In) || !IsTerminal(inv.Err) {
		return "", usageErrorf("there is no terminal to ask for the password of %s; pass it on standard input with --password-stdin", of)
	}
	first, err := inv.askSecret(in, "Password of "+of+": ")
	if err != nil || !isNew {
		return first, err
	}
	again, err := inv.askSecret(in, "Repeat the password: ")
	if err == nil && again != first {
		err = usageErrorf("the passwords do not match")
	}
	return first, err
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
