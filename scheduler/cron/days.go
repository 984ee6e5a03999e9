package cron

import "strings"

// dayMasks holds the days that fire (bit 1 is the first of the month) for each
// shape of a month: the weekday of its first day (0 is Sunday) and its length
// minus 28.
type dayMasks [7][4]uint32

// daysOf returns the days that fire in a month of the given shape.
func (k *dayMasks) daysOf(first, length int) uint32 { return k[first][length-28] }

// fillBy sets the days that fire according to rule.
func (k *dayMasks) fillBy(rule dayRule) {
	for first := range 7 {
		for length := 28; length <= 31; length++ {
			m := monthShape{first, length}
			for d := 1; d <= length; d++ {
				if rule(m, d) {
					k[first][length-28] |= 1 << d
				}
			}
		}
	}
}

// monthShape is all that the matching days of a month depend on.
type monthShape struct {
	first  int // weekday of the first day, 0 is SUN
	length int
}

// weekdayOn returns the weekday of day d; 0 is Sunday.
func (m monthShape) weekdayOn(d int) int { return (m.first + d - 1) % 7 }

// nearestWeekday returns d, or for a day on a weekend the Friday or Monday that
// is nearest to it within the month. It returns 0 if the month has no day d.
func (m monthShape) nearestWeekday(d int) int {
	switch {
	case d < 1 || d > m.length:
		return 0
	case m.weekdayOn(d) == 6 && d > 1:
		return d - 1
	case m.weekdayOn(d) == 6:
		return d + 2
	case m.weekdayOn(d) == 0 && d < m.length:
		return d + 1
	case m.weekdayOn(d) == 0:
		return d - 2
	}
	return d
}

// dayRule reports whether day d of a month fires.
type dayRule func(m monthShape, d int) bool

// parseDayOfMonth parses the day-of-month field. It returns a nil rule for ?.
func parseDayOfMonth(p part) (dayRule, *Error) {
	if p.text == "?" {
		return nil, nil
	}
	if strings.ContainsAny(p.text, "LW") {
		return parseSpecialDay(p)
	}
	var days set
	if err := dayOfMonth.readValues(p, days.add); err != nil {
		return nil, err
	}
	return func(_ monthShape, d int) bool { return days.has(d) }, nil
}

// parseSpecialDay parses L, L-3, LW, L-3W and 15W.
func parseSpecialDay(p part) (dayRule, *Error) {
	for _, one := range p.splitList() {
		if one.text != p.text && strings.ContainsAny(one.text, "LW") {
			return nil, dayOfMonth.refuseInList(one)
		}
	}
	const forms = "1-31, L, L-3, LW, L-3W or 15W"
	day := p
	var toWeekday bool
	day.text, toWeekday = strings.CutSuffix(day.text, "W")
	lastDay, offset, offsetGiven := day.cutAt("-")
	var fromEnd bool
	var n int
	var err *Error
	switch {
	case lastDay.text == "L" && offsetGiven:
		fromEnd = true
		n, err = dayOfMonth.readNumber(offset, 1, 30, "1-30")
	case lastDay.text == "L":
		fromEnd = true
	case !toWeekday || day.text == "" || strings.ContainsAny(day.text, "LW-"):
		err = dayOfMonth.refusePart(p, forms, "%s is not in %s", quotePart(p.text), forms)
	default:
		n, err = dayOfMonth.readNumber(day, 1, 31, forms)
	}
	if err != nil {
		return nil, err
	}
	return func(m monthShape, d int) bool {
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

// parseDayOfWeek parses the day-of-week field. It returns a nil rule for ?.
func parseDayOfWeek(p part) (dayRule, *Error) {
	if p.text == "?" {
		return nil, nil
	}
	for _, one := range p.splitList() {
		if one.text != p.text && (strings.Contains(one.text, "#") || strings.HasSuffix(one.text, "L")) {
			return nil, dayOfWeek.refuseInList(one)
		}
	}
	if day, nth, ok := p.cutAt("#"); ok {
		return parseNth(day, nth)
	}
	if day, ok := strings.CutSuffix(p.text, "L"); ok && day != "" {
		w, err := dayOfWeek.readValue(part{day, p.offset})
		return func(m monthShape, d int) bool { return m.weekdayOn(d)+1 == w && d+7 > m.length }, err
	}
	if p.text == "L" { // the last day of the week
		return func(m monthShape, d int) bool { return m.weekdayOn(d) == 6 }, nil
	}
	var days set
	if err := dayOfWeek.readValues(p, days.add); err != nil {
		return nil, err
	}
	return func(m monthShape, d int) bool { return days.has(m.weekdayOn(d) + 1) }, nil
}

// parseNth parses the two parts of 6#3, the third Friday.
func parseNth(day, nth part) (dayRule, *Error) {
	w, err := dayOfWeek.readValue(day)
	if err != nil {
		return nil, err
	}
	n, err := dayOfWeek.readNumber(nth, 1, 5, "1-5")
	return func(m monthShape, d int) bool { return m.weekdayOn(d)+1 == w && (d-1)/7+1 == n }, err
}
