package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/lmittmann/tint"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/cli"
)

// logSettings are the level and the format of the log.
type logSettings struct{ level, format string }

// newLogger returns the logger of a command. It writes to standard error.
func (p *program) newLogger() (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(p.logs.level)); err != nil {
		return nil, usageError{fmt.Errorf("--log-level %q: want debug, info, warn or error", p.logs.level)}
	}
	tty := cli.IsTerminal(p.err)
	switch p.logs.format {
	case "json":
		return slog.New(slog.NewJSONHandler(p.err, &slog.HandlerOptions{Level: level})), nil
	case "auto":
		if !tty {
			return slog.New(slog.NewJSONHandler(p.err, &slog.HandlerOptions{Level: level})), nil
		}
	case "text":
	default:
		return nil, usageError{fmt.Errorf("--log-format %q: want text, json or auto", p.logs.format)}
	}
	return slog.New(tint.NewTextHandler(p.err, &tint.Options{
		Level: level, TimeFormat: time.TimeOnly, NoColor: !tty || p.env["NO_COLOR"] != "",
	})), nil
}
