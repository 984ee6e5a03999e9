package crontab

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/cron"
)

// Options say how to read a crontab.
type Options struct {
	System    bool // each line has a user before the command, as in /etc/crontab
	EitherDay bool // a line that restricts both days gets two expressions
}

// Variable is an environment variable of commands.
type Variable struct{ Name, Value string }

// Line is a line that runs a command.
type Line struct {
	Number   int
	Text     string   // as written, without blanks around it
	Crons    []string // Quartz expressions
	User     string   // of a system crontab
	Command  string
	Input    []string   // lines of the standard input; nil: none
	Env      []Variable // of the command, without SHELL
	Shell    string     // empty: /bin/sh
	Home     string     // where the command starts; empty: as the crontab does not say it
	TimeZone string     // CRON_TZ; empty: as the crontab does not say it
	MailTo   []string   // as written
	Notes    []string   // what is not as with cron
	Err      error      // why the line is refused
}

// environment holds the variables of the lines read so far.
type environment struct {
	variables                        []Variable
	shell, home, timeZone, randomize string
	mailTo                           []string
}

var variableLine = regexp.MustCompile(`^(?:"([^"]*)"|'([^']*)'|([A-Za-z_][A-Za-z0-9_]*))[ \t]*=[ \t]*(.*)$`)

// Parse returns the lines of a crontab that run a command.
func Parse(text string, opts Options) (all []Line) {
	var env environment
	for i, line := range strings.Split(text, "\n") {
		line = strings.Trim(line, " \t\r")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		l := Line{Number: i + 1, Text: line}
		if m := variableLine.FindStringSubmatch(line); m != nil {
			if l.Err = env.set(m[1]+m[2]+m[3], m[4]); l.Err != nil {
				all = append(all, l)
			}
			continue
		}
		l.Err = l.parse(&env, opts)
		all = append(all, l)
	}
	return all
}

// set sets a variable for the lines that follow.
func (e *environment) set(name, value string) error {
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		value = value[1 : n-1]
	}
	if name == "" || strings.ContainsAny(name, "= \t") {
		return fmt.Errorf("%q is no name of a variable", name)
	}
	if err := checkText(name + value); err != nil {
		return err
	}
	switch name {
	case "SHELL":
		e.shell = value
		return nil
	case "MAILTO":
		e.mailTo = strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' })
		return nil
	case "CRON_TZ":
		if _, err := time.LoadLocation(value); err != nil || value == "" || value == "Local" {
			return fmt.Errorf("CRON_TZ: want a time zone such as Europe/Berlin, not %q", value)
		}
		e.timeZone = value
		return nil
	case "MAILFROM", "CONTENT_TYPE", "CONTENT_TRANSFER_ENCODING": // of cron's mails
		return nil
	case "LOGNAME", "USER": // cron sets them itself
		return nil
	case "RANDOM_DELAY":
		e.randomize = value
		return nil
	case "HOME":
		e.home = value
	}
	if i := slices.IndexFunc(e.variables, func(v Variable) bool { return v.Name == name }); i >= 0 {
		e.variables = slices.Clone(e.variables) // earlier lines keep theirs
		e.variables[i].Value = value
	} else {
		e.variables = append(slices.Clip(e.variables), Variable{name, value})
	}
	return nil
}

// checkText refuses what a job definition cannot hold, or would change.
func checkText(s string) error {
	switch {
	case !utf8.ValidString(s):
		return errors.New("the line is not UTF-8")
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return errors.New("the line has a control character")
	case strings.Contains(s, "#{"):
		return errors.New("the text #{ begins a substitution in a job definition, so the command would be changed")
	}
	return nil
}

func (l *Line) parse(env *environment, opts Options) error {
	if err := checkText(l.Text); err != nil {
		return err
	}
	l.Env, l.Home, l.TimeZone, l.MailTo = env.variables, env.home, env.timeZone, env.mailTo
	if l.Shell = env.shell; l.Shell == "/bin/sh" {
		l.Shell = ""
	}
	if env.randomize != "" && env.randomize != "0" {
		l.Notes = append(l.Notes, "RANDOM_DELAY has no effect: the job starts at the time of the line")
	}
	rest, err := l.parseTimes(opts)
	if err != nil {
		return err
	}
	if opts.System {
		l.User, rest = cutField(rest)
		if l.User == "" || rest == "" {
			return errors.New("want a user and a command after the times")
		}
	}
	if rest == "" {
		return errors.New("want a command after the times")
	}
	if first, _ := cutField(rest); !opts.System && first == "root" {
		return errors.New("the command is \"root\": is this a system crontab, with a user before the command (--system)?")
	}
	l.Command, l.Input = splitInput(rest)
	if strings.TrimSpace(l.Command) == "" {
		return errors.New("want a command before the %")
	}
	return nil
}

// cutField returns the first field of a text, and what follows the blanks after
// it.
func cutField(s string) (first, rest string) {
	i := strings.IndexAny(s, " \t")
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.TrimLeft(s[i:], " \t")
}

// macros has the fields of the named times.
var macros = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// parseTimes parses the times of a line, and returns what follows them.
func (l *Line) parseTimes(opts Options) (rest string, err error) {
	if strings.HasPrefix(l.Text, "@") {
		name, rest := cutField(l.Text)
		if strings.EqualFold(name, "@reboot") {
			return "", errors.New("@reboot: a job has no machine whose start it could follow; start it by a unit of systemd that calls jobstreamer run")
		}
		times, ok := macros[strings.ToLower(name)]
		if !ok {
			return "", fmt.Errorf("%s is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually", name)
		}
		l.Crons, err = quartzOf(strings.Fields(times), opts.EitherDay)
		return rest, err
	}
	rest = l.Text
	fields := make([]string, 5)
	for i := range fields {
		if fields[i], rest = cutField(rest); fields[i] == "" {
			return "", errors.New("want minute, hour, day of month, month and weekday")
		}
	}
	l.Crons, err = quartzOf(fields, opts.EitherDay)
	return rest, err
}

// quartzOf returns the Quartz expressions of the five fields of a line.
func quartzOf(text []string, eitherDay bool) ([]string, error) {
	fields := make([]field, 5)
	for i := range fields {
		var err error
		if fields[i], err = kinds[i].parse(text[i]); err != nil {
			return nil, err
		}
	}
	minute, hour, day, month, weekday := fields[0].quartz(), fields[1].quartz(), &fields[2], fields[3].quartz(), &fields[4]
	onDay := strings.Join([]string{"0", minute, hour, day.quartz(), month, "?"}, " ")
	onWeekday := strings.Join([]string{"0", minute, hour, "?", month, weekday.quartz()}, " ")
	var all []string
	switch {
	case day.star || weekday.star: // a day must match both fields
		switch {
		case weekday.isFull():
			all = []string{onDay}
		case day.isFull():
			all = []string{onWeekday}
		default:
			return nil, fmt.Errorf("with * at the beginning of one of them, %q and %q must both match a day, which no schedule can say", day.text, weekday.text)
		}
	case day.isFull() || weekday.isFull(): // every day matches one of them
		all = []string{strings.Join([]string{"0", minute, hour, "*", month, "?"}, " ")}
	case eitherDay:
		all = []string{onDay, onWeekday}
	default:
		return nil, fmt.Errorf("day of month %s or weekday %s: a schedule cannot match either of two days; with --either-day the job gets two schedules, and runs twice on a day that matches both", day.text, weekday.text)
	}
	for _, expr := range all {
		s, err := cron.Parse(expr)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%s: %w", expr, err)
		case s.Never():
			return nil, errors.New("there is no such day: the line never runs")
		}
	}
	return all, nil
}

// splitInput splits a command at its first % that has no backslash before it.
func splitInput(s string) (command string, input []string) {
	var parts []string
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] == '%':
			b.WriteByte('%')
			i++
		case s[i] == '%':
			parts = append(parts, b.String())
			b.Reset()
		default:
			b.WriteByte(s[i])
		}
	}
	parts = append(parts, b.String())
	if len(parts) > 1 && parts[len(parts)-1] == "" { // the input ends with a newline anyway
		parts = parts[:len(parts)-1]
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return parts[0], parts[1:]
}
