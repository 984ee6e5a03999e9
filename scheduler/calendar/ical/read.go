package ical

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	ics "github.com/arran4/golang-ical"

	"github.com/job-streamer/job-streamer-control-bus/scheduler/calendar"
)

const (
	maxFile    = 4 << 20 // bytes
	maxNesting = 8       // components inside of each other
)

// Import is what a file contains.
type Import struct {
	Holidays []calendar.Holiday // by date
	Rules    []calendar.Rule
	Skipped  []Skipped
}

// Skipped is an event, or a part of one, that is no holiday.
type Skipped struct {
	Event  string // its summary
	Reason string
}

// Read reads the whole-day events of an iCalendar file. Events that are no
// whole days are in Skipped. Read returns an error if the text is not an
// iCalendar file, or contains no whole-day event.
func Read(r io.Reader) (*Import, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > maxFile:
		return nil, fmt.Errorf("the file is larger than %d MiB", maxFile>>20)
	}
	text = unfold(text)
	if err := checkFrame(text); err != nil {
		return nil, err
	}
	file, err := ics.ParseCalendar(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("not an iCalendar file: %w", err)
	}
	var i importer
	for _, e := range file.Events() {
		i.addEvent(e)
	}
	i.applyOverrides()
	return i.finish()
}

// unfold removes a byte order mark, and joins lines that were folded (RFC 5545
// section 3.1). The library joins them too, but checkFrame must see what the
// library will see.
func unfold(text []byte) []byte {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	text = bytes.ReplaceAll(text, []byte("\n "), nil)
	return bytes.ReplaceAll(text, []byte("\n\t"), nil)
}

// checkFrame checks that the file is complete, and that its components are not
// nested so deeply that reading them takes too much memory.
func checkFrame(text []byte) error {
	depth := 0
	last := ""
	for line := range strings.Lines(string(text)) {
		line = strings.ToUpper(strings.TrimSpace(line))
		switch {
		case line == "":
			continue
		case strings.HasPrefix(line, "BEGIN:"):
			depth++
		case strings.HasPrefix(line, "END:"):
			depth--
		}
		if depth > maxNesting {
			return fmt.Errorf("not an iCalendar file: more than %d components inside of each other", maxNesting)
		}
		last = line
	}
	if last != "END:VCALENDAR" {
		return errors.New("not a complete iCalendar file: the last line is not END:VCALENDAR")
	}
	return nil
}

// importer collects the holidays of a file.
type importer struct {
	Import
	events    int
	masters   map[string][]int // rules by the UID of their event
	overrides []override
}

// override replaces or cancels one date of an event that repeats.
type override struct {
	uid  string
	date calendar.Date
}

// skip reports an event that is no holiday.
func (i *importer) skip(e *ics.VEvent, format string, args ...any) {
	i.Skipped = append(i.Skipped, Skipped{summaryOf(e), fmt.Sprintf(format, args...)})
}

// applyOverrides excludes dates of rules that other events replace.
func (i *importer) applyOverrides() {
	for _, o := range i.overrides {
		for _, n := range i.masters[o.uid] {
			if r := &i.Rules[n]; !slices.Contains(r.Except, o.date) {
				r.Except = append(r.Except, o.date)
			}
		}
	}
}

func (i *importer) finish() (*Import, error) {
	if i.events == 0 {
		return nil, errors.New("the file contains no event of whole days")
	}
	slices.SortStableFunc(i.Holidays, func(a, b calendar.Holiday) int {
		return cmp.Or(cmp.Compare(a.Date, b.Date), cmp.Compare(a.Name, b.Name))
	})
	i.Holidays = slices.Compact(i.Holidays)
	return &i.Import, nil
}
