package cron

import "strings"

// dayMasks has the days that fire (bit 1 is the first) for each kind of month,
// by the weekday of its first day (0 is SUN) and its length less 28.
type dayMasks [7][4]uint32

// of returns the days of a month.
func (k *dayMasks) of(first, length int) uint32 { return k[first][length-28] }

func (k *dayMasks) fill(rule dayRule) {
	for first := range 7 {
		for length := 28; length <= 31; length++ {
			m := aMonth{first, length}
			for d := 1; d <= length; d++ {
				if rule(m, d) {
					k[first][length-28] |= 1 << d
				}
			}
		}
	}
}

// aMonth is what the days that fire depend on.
type aMonth struct {
	first  int // weekday of the first day, 0 is SUN
	length int
}

// weekday of day d: 0 is SUN.
func (m aMonth) weekday(d int) int { return (m.first + d - 1) % 7 }

// nearestWeekday moves a day at the weekend to Friday or Monday, whichever is
// nearer and in the same month. A day that the month does not have has none.
func (m aMonth) nearestWeekday(d int) int {
	switch {
	case d < 1 || d > m.length:
		return 0
	case m.weekday(d) == 6 && d > 1:
		return d - 1
	case m.weekday(d) == 6:
		return d + 2
	case m.weekday(d) == 0 && d < m.length:
		return d + 1
	case m.weekday(d) == 0:
		return d - 2
	}
	return d
}

// dayRule tells whether day d of a month fires.
type dayRule func(m aMonth, d int) bool

// parseDayOfMonth returns no rule for ?.
func parseDayOfMonth(t token) (dayRule, *Error) {
	if t.text == "?" {
		return nil, nil
	}
	if strings.ContainsAny(t.text, "LW") {
		return parseSpecialDay(t)
	}
	var days set
	if err := dayOfMonth.values(t, days.add); err != nil {
		return nil, err
	}
	return func(_ aMonth, d int) bool { return days.has(d) }, nil
}

// parseSpecialDay reads L, L-3, LW, L-3W and 15W.
func parseSpecialDay(t token) (dayRule, *Error) {
	for _, one := range t.list() {
		if one.text != t.text && strings.ContainsAny(one.text, "LW") {
			return nil, dayOfMonth.alone(one)
		}
	}
	const forms = "1-31, L, L-3, LW, L-3W or 15W"
	day := t
	var toWeekday bool
	day.text, toWeekday = strings.CutSuffix(day.text, "W")
	lastDay, offset, offsetGiven := day.cut("-")
	var fromEnd bool
	var n int
	var err *Error
	switch {
	case lastDay.text == "L" && offsetGiven:
		fromEnd = true
		n, err = dayOfMonth.number(offset, 1, 30, "1-30")
	case lastDay.text == "L":
		fromEnd = true
	case !toWeekday || day.text == "" || strings.ContainsAny(day.text, "LW-"):
		err = dayOfMonth.refuse(t, forms, "%s is not in %s", quote(t.text), forms)
	default:
		n, err = dayOfMonth.number(day, 1, 31, forms)
	}
	if err != nil {
		return nil, err
	}
	return func(m aMonth, d int) bool {
		target := n
		if fromEnd {
			target = m.length - n
		}
		if toWeekday {
			target = m.nearestWeekday(target)
		}
		return d == target
	}, nil
}

// parseDayOfWeek returns no rule for ?.
func parseDayOfWeek(t token) (dayRule, *Error) {
	if t.text == "?" {
		return nil, nil
	}
	for _, one := range t.list() {
		if one.text != t.text && (strings.Contains(one.text, "#") || strings.HasSuffix(one.text, "L")) {
			return nil, dayOfWeek.alone(one)
		}
	}
	if day, nth, ok := t.cut("#"); ok {
		return parseNth(day, nth)
	}
	if day, ok := strings.CutSuffix(t.text, "L"); ok && day != "" {
		w, err := dayOfWeek.value(token{day, t.at})
		return func(m aMonth, d int) bool { return m.weekday(d)+1 == w && d+7 > m.length }, err
	}
	if t.text == "L" { // the last day of the week
		return func(m aMonth, d int) bool { return m.weekday(d) == 6 }, nil
	}
	var days set
	if err := dayOfWeek.values(t, days.add); err != nil {
		return nil, err
	}
	return func(m aMonth, d int) bool { return days.has(m.weekday(d) + 1) }, nil
}

// parseNth reads 6#3, the third Friday.
func parseNth(day, nth token) (dayRule, *Error) {
	w, err := dayOfWeek.value(day)
	if err != nil {
		return nil, err
	}
	n, err := dayOfWeek.number(nth, 1, 5, "1-5")
	return func(m aMonth, d int) bool { return m.weekday(d)+1 == w && (d-1)/7+1 == n }, err
}
