package codec

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/jsl"
)

// MaxFaults is the greatest number of faults in one answer.
const MaxFaults = 100

// Faults are everything that is wrong with a request, each with its place.
type Faults []rest.Fault

func (f Faults) Error() string { return fmt.Sprintf("%d faults, the first one is: %s", len(f), f[0]) }

// Add adds a fault at a pointer into the body. want says what belongs there.
func (f *Faults) Add(pointer, want, got string) {
	if len(*f) < MaxFaults {
		*f = append(*f, rest.Fault{Pointer: pointer, Detail: "want " + want, Got: Cut(got)})
	}
}

// AddParameter adds a fault of a parameter or header. want says what belongs
// there.
func (f *Faults) AddParameter(name, want, got string) {
	if len(*f) < MaxFaults {
		*f = append(*f, rest.Fault{Parameter: name, Detail: "want " + want, Got: Cut(got)})
	}
}

// ParameterFault returns the fault of one parameter or header.
func ParameterFault(name, want, got string) (f Faults) {
	f.AddParameter(name, want, got)
	return f
}

// AddWithin adds the faults of the part of a body that is at the pointer.
func (f *Faults) AddWithin(pointer string, part Faults) {
	for _, fault := range part {
		fault.Pointer = pointer + fault.Pointer
		*f = append(*f, fault)
	}
}

// AddOther adds the faults whose place has no fault yet: a value that could not
// be read is not reported as missing as well.
func (f *Faults) AddOther(more Faults) {
	for _, fault := range more {
		if !f.hasFaultAt(fault.Pointer) {
			*f = append(*f, fault)
		}
	}
}

func (f *Faults) hasFaultAt(pointer string) bool {
	for i := range *f {
		if (*f)[i].Pointer == pointer {
			return true
		}
	}
	return false
}

// Err returns the faults as an error, nil if there is none.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// FaultsOf returns the errors of a definition as faults.
func FaultsOf(errs jsl.Errors) (all Faults) {
	for _, e := range errs {
		all = append(all, rest.Fault{Pointer: e.Path, Detail: "want " + e.Want, Got: e.Got, Line: e.Line, Column: e.Column})
	}
	return all
}

// MalformedError is a body that is not in the format of its Content-Type.
type MalformedError struct{ Fault rest.Fault }

func (e *MalformedError) Error() string { return e.Fault.String() }

// MediaTypeError is a body in a format that the API does not read.
type MediaTypeError struct{ Header, Got, Want string }

func (e *MediaTypeError) Error() string {
	return fmt.Sprintf("%s: want %s, got %s", e.Header, e.Want, Cut(e.Got))
}

// maxShown is how many bytes of a sent value an answer repeats.
const maxShown = 80

// Cut shortens a sent value for an answer. It does not split a character.
func Cut(s string) string {
	if len(s) <= maxShown {
		return s
	}
	n := maxShown
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}

// Escape returns a name as a segment of a JSON pointer (RFC 6901 section 3).
func Escape(name string) string { return escaper.Replace(Cut(name)) }

var escaper = strings.NewReplacer("~", "~0", "/", "~1")
