package subjects

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Limits of what a step writes to the file that JOBSTREAMER_OUTPUT names, in
// bytes.
const (
	MaxOutput = 256 << 10 // the whole file
	// MaxValues limits the values of all steps of a job together: names and
	// texts. They must fit into the environment of a process.
	MaxValues = 64 << 10
)

// Output is what a step has written to the file that the variable
// JOBSTREAMER_OUTPUT names.
type Output struct {
	ExitStatus     string            // empty if the step has set none
	PersistentData *string           // nil if the step has set none
	Values         map[string]string // for later steps
}

const valuePrefix = "value."

var valueName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,63}$`)

// ValidValueName reports whether a value for later steps can have the name: up
// to 64 of a-z, 0-9 and _, with no digit at the beginning. So no two names have
// one variable.
func ValidValueName(name string) bool { return valueName.MatchString(name) }

// ValueVariable returns the name of the environment variable in which later
// steps get a value.
func ValueVariable(name string) string { return "JOBSTREAMER_VALUE_" + strings.ToUpper(name) }

// ParseOutput reads the text of the file. Its error names the line.
func ParseOutput(text string) (Output, error) {
	var o Output
	if len(text) > MaxOutput {
		return o, fmt.Errorf("want at most %d bytes, got %d", MaxOutput, len(text))
	}
	lines := outputLines(text)
	for i := 0; i < len(lines); i++ {
		if strings.TrimSpace(lines[i]) == "" {
			continue
		}
		first := i
		name, value, err := readSetting(lines, &i)
		if err == nil {
			err = o.set(name, value)
		}
		if err != nil {
			return Output{}, fmt.Errorf("line %d: %w", first+1, err)
		}
	}
	return o, nil
}

// outputLines splits a text into lines. A line may end with CR LF, as echo ends
// it on Windows.
func outputLines(text string) []string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = strings.TrimSuffix(l, "\r")
	}
	return lines
}

// readSetting reads the setting that begins at line i, and advances i to its
// last line.
func readSetting(lines []string, i *int) (name, value string, err error) {
	line := lines[*i]
	equals, word := strings.Index(line, "="), strings.Index(line, "<<")
	switch {
	case equals < 0 && word < 0:
		return "", "", fmt.Errorf("want NAME=VALUE or NAME<<WORD, got %.40q", line)
	case word < 0, equals >= 0 && equals < word:
		return line[:equals], line[equals+1:], nil
	}
	name, end := line[:word], line[word+len("<<"):]
	if end == "" {
		return "", "", fmt.Errorf("want a word after <<, which ends the value of %.40q", name)
	}
	first := *i + 1
	for *i++; *i < len(lines); *i++ {
		if lines[*i] == end {
			return name, strings.Join(lines[first:*i], "\n"), nil
		}
	}
	return "", "", fmt.Errorf("want a line %.40q after the value of %.40q, got the end of the file", end, name)
}

// set stores one setting. The last one of a name counts.
func (o *Output) set(name, value string) error {
	if !utf8.ValidString(value) {
		return fmt.Errorf("%.80q: want UTF-8", name)
	}
	if strings.ContainsRune(value, 0) {
		return fmt.Errorf("%.80q: want a value without NUL characters", name)
	}
	switch short, isValue := strings.CutPrefix(name, valuePrefix); {
	case name == "exit_status":
		if value == "" || strings.Contains(value, "\n") {
			return fmt.Errorf("exit_status: want one line that is not empty, got %.40q", value)
		}
		o.ExitStatus = value
	case name == "persistent_data":
		o.PersistentData = &value
	case !isValue:
		return fmt.Errorf("want exit_status, persistent_data or value.NAME, got %.80q", name)
	case !ValidValueName(short):
		return fmt.Errorf("want value.NAME, where NAME has up to 64 of a-z, 0-9 and _ and no digit at the beginning, got %.80q", name)
	default:
		if o.Values == nil {
			o.Values = map[string]string{}
		}
		o.Values[short] = value
	}
	return nil
}
