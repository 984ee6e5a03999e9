package cron

import (
	"fmt"
	"strings"
)

const layout = "second minute hour day-of-month month day-of-week [year]"

// Parse parses a Quartz cron expression. Every error is an [*Error]. Parse
// accepts an expression that matches only impossible dates, such as 31
// February: [Schedule.Never] reports these.
func Parse(expr string) (*Schedule, error) {
	s, err := parseFields(splitFields(expr), len(expr))
	if err != nil {
		return nil, err.placeIn(expr)
	}
	return s, nil
}

// parseFields parses the fields of an expression of end bytes.
func parseFields(parts []part, end int) (*Schedule, *Error) {
	if n := len(parts); n < 6 || n > 7 {
		return nil, miscounted(parts, end)
	}
	text := normalise(parts)
	if len(parts) == 6 {
		parts = append(parts, part{"*", end})
	}
	s := &Schedule{text: text, fixed: !strings.ContainsAny(parts[2].text, "*-/")}
	monthDays, weekDays := parts[3], parts[5]
	byMonth, err3 := parseDayOfMonth(monthDays)
	byWeek, err5 := parseDayOfWeek(weekDays)
	for _, err := range []*Error{
		second.readValues(parts[0], s.seconds.add),
		minute.readValues(parts[1], s.minutes.add),
		hour.readValues(parts[2], s.hours.add),
		err3,
		month.readValues(parts[4], s.months.add),
		err5,
		year.readValues(parts[6], s.years.add),
	} {
		if err != nil {
			return nil, err
		}
	}
	if (byMonth == nil) == (byWeek == nil) {
		const want = "? in exactly one of day of month and day of week"
		return nil, dayOfWeek.refusePart(weekDays, want, "%s with %s as day of month, want %s%s",
			quotePart(weekDays.text), quotePart(monthDays.text), want, suggestOpenDay(parts))
	}
	if byMonth != nil {
		s.days.fillBy(byMonth)
	} else {
		s.days.fillBy(byWeek)
	}
	s.firstTime = s.hours.firstFrom(0)*3600 + s.minutes.firstFrom(0)*60 + s.seconds.firstFrom(0)
	return s, nil
}

// miscounted returns the error for a wrong number of fields. Its column is that
// of the first field too many, or the end of the expression if fields are
// missing.
func miscounted(parts []part, end int) *Error {
	want := "6 or 7 fields (" + layout + ")"
	if len(parts) > 7 {
		end = parts[7].offset
	}
	problem := fmt.Sprintf("%d fields, want %s", len(parts), want)
	if len(parts) == 1 {
		problem = "1 field, want " + want
	}
	return &Error{Column: end, Problem: problem + suggestQuartz(parts), Want: want}
}

// splitFields splits an expression at white space and converts it to upper
// case. It converts ASCII letters only: a dotless i must not become an I.
func splitFields(expr string) []part {
	var parts []part
	start := -1
	for i := range len(expr) + 1 {
		space := i == len(expr) || strings.IndexByte(" \t\r\n", expr[i]) >= 0
		switch {
		case space && start >= 0:
			parts = append(parts, part{upperASCII(expr[start:i]), start})
			start = -1
		case !space && start < 0:
			start = i
		}
	}
	return parts
}

// upperASCII converts ASCII letters to upper case. It keeps every byte at its
// place, even in invalid UTF-8, because errors count columns.
func upperASCII(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// normalise joins the fields with single spaces. It removes leading zeros,
// writes */5 for /5, and omits a year of *.
func normalise(parts []part) string {
	var b strings.Builder
	for i, w := range parts {
		if i == 6 && w.text == "*" {
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		for j, one := range w.splitList() {
			if j > 0 {
				b.WriteByte(',')
			}
			if strings.HasPrefix(one.text, "/") {
				b.WriteByte('*')
			}
			trimZeros(&b, one.text)
		}
	}
	return b.String()
}

// trimZeros writes text without the leading zeros of its numbers.
func trimZeros(b *strings.Builder, text string) {
	inNumber := false
	for i := range len(text) {
		more := i+1 < len(text) && isDigit(text[i+1])
		if text[i] == '0' && !inNumber && more {
			continue
		}
		inNumber = isDigit(text[i])
		b.WriteByte(text[i])
	}
}
