package native

import (
	"context"
	"io"
	"log/slog"
	"sync"

	"github.com/job-streamer/job-streamer-control-bus/agent"
)

// StartTime returns the start time in the file of a process.
func StartTime(pid int) string { return startTime(pid) }

// RunShell runs a command in the way a step does.
func RunShell(command string) {
	p, err := openProcesses(agent.Host{Log: slog.Default()}, &sync.Map{})
	if err == nil {
		_, err = p.runProcess(context.Background(), stepProcess{cmd: shellCommand(command), stdout: io.Discard, stderr: io.Discard})
	}
	if err != nil {
		slog.Error("command failed", "err", err)
	}
}
