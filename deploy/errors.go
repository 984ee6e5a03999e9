package deploy

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// Errors lists all entries of a class path that cannot be deployed, each with
// its JSON pointer.
type Errors []*bus.FieldError

func (e Errors) Error() string {
	var all []string
	for _, f := range e {
		all = append(all, f.Error())
	}
	return strings.Join(all, "; ")
}

// Unwrap lets errors.As find the first entry.
func (e Errors) Unwrap() []error {
	var all []error
	for _, f := range e {
		all = append(all, f)
	}
	return all
}

func (e *Errors) addFault(path, want, got string) {
	*e = append(*e, &bus.FieldError{Path: path, Want: want, Got: got})
}

func (e Errors) orNil() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// MissingError lists jars that are not stored. The caller stores them and
// deploys again.
type MissingError struct {
	App    string
	SHA256 []string
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("deploy %s: %s not stored: %s", e.App, countOf(len(e.SHA256), "jar is", "jars are"), strings.Join(e.SHA256, ", "))
}

// errRemoved ends a deployment whose application was removed in the meantime.
var errRemoved = fmt.Errorf("the application was removed during the deployment: %w", bus.ErrChanged)

// wrapError prefixes err with what was tried. It returns nil for nil.
func wrapError(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}

// toValidUTF8 replaces invalid bytes, so that s survives encoding to JSON.
func toValidUTF8(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func countOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func checkApp(app string) error {
	if !subjects.ValidName(app) {
		return &bus.FieldError{Path: "/name", Want: "a name that matches " + subjects.NamePattern, Got: app}
	}
	return nil
}

// readJSON decodes one value. It reads r to its end, because the reader checks
// the digest there.
func readJSON(r io.Reader, v any) error {
	data, err := io.ReadAll(r)
	if err == nil {
		err = json.Unmarshal(data, v)
	}
	return err
}
