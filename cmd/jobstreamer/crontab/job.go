package crontab

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"regexp"
	"slices"
	"strings"
)

// ShellCommand returns the command for /bin/sh that runs the line: with its
// shell and its input.
func (l *Line) ShellCommand() string {
	if l.Shell == "" && l.Input == nil {
		return l.Command
	}
	run := "/bin/sh"
	if l.Shell != "" {
		run = quoteWord(l.Shell)
	}
	run += " -c " + quoteWord(l.Command)
	if l.Input == nil {
		return "exec " + run
	}
	words := []string{"printf", `'%s\n'`}
	for _, line := range l.Input {
		words = append(words, quoteWord(line))
	}
	return strings.Join(words, " ") + " | " + run
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

// quoteWord returns a text as one word of a shell.
func quoteWord(s string) string {
	if plainWord.MatchString(s) {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

var (
	commandWord = regexp.MustCompile(`[A-Za-z0-9_./-]+`)
	notInNames  = regexp.MustCompile(`[^A-Za-z0-9_]+`)
	dullWords   = []string{"test", "null", "dev", "if", "then", "fi", "exec", "sh", "bash", "bin", "usr", "cd", "x", "e", "f", "d", "c", "1", "2", "o", "true", "root"}
)

const (
	maxWords = 4
	maxSlug  = 40
)

// JobName returns the name of the line's job. It follows from the user and the
// command alone, so it stays when the times, the environment or other lines
// change.
func (l *Line) JobName() string {
	var words []string
	for _, w := range commandWord.FindAllString(l.Command, -1) {
		w = strings.Trim(notInNames.ReplaceAllString(path.Base(w), "-"), "-_")
		if w == "" || slices.Contains(dullWords, strings.ToLower(w)) || slices.Contains(words, w) {
			continue
		}
		if words = append(words, w); len(words) == maxWords {
			break
		}
	}
	slug := strings.Join(words, "-")
	if len(slug) > maxSlug {
		slug = strings.Trim(slug[:maxSlug], "-_")
	}
	if slug == "" || slug[0] >= '0' && slug[0] <= '9' {
		slug = strings.Trim("cron-"+slug, "-")
	}
	return slug + "-" + ShortHash(6, append([]string{l.User, l.Command}, l.Input...)...)
}

// ShortHash returns n hex digits that depend on all texts.
func ShortHash(n int, all ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(all, "\x00")))
	return hex.EncodeToString(sum[:])[:n]
}

// SameRun reports whether two lines run the same in the same way, so that they
// differ in their times only.
func (l *Line) SameRun(o *Line) bool {
	return l.User == o.User && l.Command == o.Command && slices.Equal(l.Input, o.Input) && (l.Input == nil) == (o.Input == nil) &&
		slices.Equal(l.Env, o.Env) && l.Shell == o.Shell && l.Home == o.Home
}
