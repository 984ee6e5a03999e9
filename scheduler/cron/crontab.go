package cron

import (
	"slices"
	"strconv"
	"strings"
)

// macros are what other crons know by a name.
var macros = map[string]string{
	"@HOURLY": "0 0 * * * ?", "@DAILY": "0 0 0 * * ?", "@MIDNIGHT": "0 0 0 * * ?", "@WEEKLY": "0 0 0 ? * SUN",
	"@MONTHLY": "0 0 0 1 * ?", "@YEARLY": "0 0 0 1 1 ?", "@ANNUALLY": "0 0 0 1 1 ?",
}

// oneDay is what an expression is told that says "on either day".
const oneDay = "; an expression cannot say that either day matches: one of the two is ?"

// hint returns what to write for a crontab's five fields (minute hour
// day-of-month month day-of-week) or for one of its macros: `; did you mean "0
// 30 2 * * ?"`. It is empty unless that asks for exactly the same times.
func hint(words []token) string {
	text := ""
	switch len(words) {
	case 1:
		text = macros[words[0].text]
	case 5:
		monthDay, weekDay := words[2].text, words[4].text
		if !open(monthDay) && !open(weekDay) {
			return oneDay
		}
		var ok bool
		if monthDay, weekDay, ok = quartzDays(monthDay, weekDay); ok {
			text = strings.Join([]string{"0", words[0].text, words[1].text, monthDay, words[3].text, weekDay}, " ")
		}
	}
	return meant(text)
}

// meant is the end of an error that has another expression, if that is one.
func meant(text string) string {
	if text == "" {
		return ""
	}
	if s, err := parse(split(text), len(text)); err != nil || s.Never() {
		return ""
	}
	return `; did you mean "` + text + `"`
}

// open reports whether a day field lets every day pass.
func open(field string) bool { return field == "*" || field == "?" }

// oneOpenDay is [hint] for six or seven fields of which both day fields, or
// neither, are ?. It does not read the numbers of a weekday, since other crons
// with a field of seconds count from another day.
func oneOpenDay(words []token) string {
	words = slices.Clone(words)
	switch monthDay, weekDay := words[3].text, words[5].text; {
	case monthDay == "?": // both are
		return ""
	case weekDay == "*":
		words[5].text = "?"
	case monthDay == "*" && !strings.ContainsAny(weekDay, "0123456789"):
		words[3].text = "?"
	default:
		return ""
	}
	return meant(normalise(words))
}

// quartzDays writes the day fields of a crontab, one of which is open, with a
// question mark and with names of weekdays.
func quartzDays(monthDay, weekDay string) (string, string, bool) {
	if !open(monthDay) {
		return monthDay, "?", true
	}
	if open(weekDay) {
		return "*", "?", true
	}
	days, ok := crontabWeek(weekDay)
	if !ok {
		return "", "", false
	}
	if text := weekText(days); text != "*" {
		return "?", text, true
	}
	return "*", "?", true
}

// crontabWeek reads the day of the week of a crontab: 0 and 7 are Sunday, names
// as in Quartz.
func crontabWeek(text string) (days [7]bool, ok bool) {
	for i, name := range dayOfWeek.names {
		text = strings.ReplaceAll(text, name, strconv.Itoa(i))
	}
	f := field{name: dayOfWeek.name, min: 0, max: 7, maxStep: 7}
	for _, one := range (token{text: text}).list() {
		from, step, stepped := one.cut("/")
		if from.text == "*" && stepped { // of seven days: 0 and 7 are one
			one.text = "0-6/" + step.text
		} else if stepped && !strings.Contains(from.text, "-") { // crontabs do not agree on 1/2
			return days, false
		}
		if err := f.values(one, func(d int) { days[d%7] = true }); err != nil {
			return days, false
		}
	}
	return days, true
}

// weekText writes days, from Monday on, as ranges and a list of names.
func weekText(days [7]bool) string {
	if !slices.Contains(days[:], false) {
		return "*"
	}
	name := func(i int) string { return dayOfWeek.names[i%7] }
	var parts []string
	for i := 1; i <= 7; i++ {
		if !days[i%7] {
			continue
		}
		last := i
		for last < 7 && days[(last+1)%7] {
			last++
		}
		switch last - i {
		case 0:
			parts = append(parts, name(i))
		case 1:
			parts = append(parts, name(i), name(last))
		default:
			parts = append(parts, name(i)+"-"+name(last))
		}
		i = last
	}
	return strings.Join(parts, ",")
}
