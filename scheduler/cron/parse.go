package cron

import (
	"fmt"
	"strings"
)

const layout = "second minute hour day-of-month month day-of-week [year]"

// Parse reads a Quartz cron expression. Every error is an [*Error]. An
// expression that names only impossible dates (31 February) is no error: see
// [Schedule.Never].
func Parse(expr string) (*Schedule, error) {
	s, err := parse(split(expr), len(expr))
	if err != nil {
		return nil, err.place(expr)
	}
	return s, nil
}

func parse(words []token, end int) (*Schedule, *Error) {
	if n := len(words); n < 6 || n > 7 {
		return nil, miscounted(words, end)
	}
	text := normalise(words)
	if len(words) == 6 {
		words = append(words, token{"*", end})
	}
	s := &Schedule{text: text, fixed: !strings.ContainsAny(words[2].text, "*-/")}
	monthDays, weekDays := words[3], words[5]
	byMonth, err3 := parseDayOfMonth(monthDays)
	byWeek, err5 := parseDayOfWeek(weekDays)
	for _, err := range []*Error{
		second.values(words[0], s.seconds.add),
		minute.values(words[1], s.minutes.add),
		hour.values(words[2], s.hours.add),
		err3,
		month.values(words[4], s.months.add),
		err5,
		year.values(words[6], s.years.add),
	} {
		if err != nil {
			return nil, err
		}
	}
	if (byMonth == nil) == (byWeek == nil) {
		const want = "? in exactly one of day of month and day of week"
		return nil, dayOfWeek.refuse(weekDays, want, "%s with %s as day of month, want %s%s",
			quote(weekDays.text), quote(monthDays.text), want, oneOpenDay(words))
	}
	if byMonth != nil {
		s.days.fill(byMonth)
	} else {
		s.days.fill(byWeek)
	}
	s.firstTime = s.hours.from(0)*3600 + s.minutes.from(0)*60 + s.seconds.from(0)
	return s, nil
}

// miscounted points at the first field too many, or at the end where one is
// missing.
func miscounted(words []token, end int) *Error {
	want := "6 or 7 fields (" + layout + ")"
	if len(words) > 7 {
		end = words[7].at
	}
	problem := fmt.Sprintf("%d fields, want %s", len(words), want)
	if len(words) == 1 {
		problem = "1 field, want " + want
	}
	return &Error{Column: end, Problem: problem + hint(words), Want: want}
}

// split finds the fields. Only ASCII letters change case: a dotless i is not an
// I.
func split(expr string) []token {
	var words []token
	start := -1
	for i := range len(expr) + 1 {
		space := i == len(expr) || strings.IndexByte(" \t\r\n", expr[i]) >= 0
		switch {
		case space && start >= 0:
			words = append(words, token{upper(expr[start:i]), start})
			start = -1
		case !space && start < 0:
			start = i
		}
	}
	return words
}

// upper keeps every byte in its place, also of what is not UTF-8: errors count
// columns.
func upper(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}

// normalise writes the fields with single spaces, without leading zeros, */5
// for /5 and no year that is *.
func normalise(words []token) string {
	var b strings.Builder
	for i, w := range words {
		if i == 6 && w.text == "*" {
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		for j, one := range w.list() {
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

// trimZeros writes text without the zeros that begin a number of several
// digits.
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
