package agent

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
)

// Logger returns a logger that writes each log record as a line of the step's
// stdout.
func (s *LogSink) Logger(step string) *slog.Logger {
	return slog.New(&lineHandler{sink: s, step: step})
}

// lineHandler formats a log record as its message, followed by key=value pairs.
type lineHandler struct {
	sink  *LogSink
	step  string
	attrs string // formatted
	group string // with a dot at its end
}

func (h *lineHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h *lineHandler) Handle(_ context.Context, r slog.Record) error {
	text := r.Message + h.attrs
	r.Attrs(func(a slog.Attr) bool {
		text += h.attrText(h.group, a)
		return true
	})
	h.sink.Line(Stdout, levelName(r.Level), h.step, text)
	return nil
}

func (h *lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	c := *h
	for _, a := range attrs {
		c.attrs += c.attrText(c.group, a)
	}
	return &c
}

func (h *lineHandler) WithGroup(name string) slog.Handler {
	c := *h
	if name != "" {
		c.group += name + "."
	}
	return &c
}

func (h *lineHandler) attrText(group string, a slog.Attr) string {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		var text string
		for _, member := range v.Group() {
			text += h.attrText(group, member)
		}
		return text
	}
	if a.Equal(slog.Attr{}) {
		return ""
	}
	text := h.sink.secrets.Redact(v.String()) // quotes would change a secret
	if text == "" || strings.ContainsAny(text, " =\"\n") {
		text = strconv.Quote(text)
	}
	return " " + group + a.Key + "=" + text
}

func levelName(l slog.Level) string {
	switch {
	case l < slog.LevelDebug:
		return "trace"
	case l < slog.LevelInfo:
		return "debug"
	case l < slog.LevelWarn:
		return "info"
	case l < slog.LevelError:
		return "warn"
	}
	return "error"
}
