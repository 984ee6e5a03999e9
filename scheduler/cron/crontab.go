package cron

import (
	"slices"
	"strconv"
	"strings"
)

// quartzOfMacro has the Quartz syntax of the named schedules of other cron
// implementations, to suggest it.
var quartzOfMacro = map[string]string{
	"@HOURLY": "0 0 * * * ?", "@DAILY": "0 0 0 * * ?", "@MIDNIGHT": "0 0 0 * * ?", "@WEEKLY": "0 0 0 ? * SUN",
	"@MONTHLY": "0 0 0 1 * ?", "@YEARLY": "0 0 0 1 1 ?", "@ANNUALLY": "0 0 0 1 1 ?",
}

// eitherDay ends the error for a crontab that restricts both day fields. In a
// crontab such a line fires on days that match either field; Quartz has no
// expression for that.
const eitherDay = "; unlike crontab, Quartz cannot match either of two day fields: set one of them to ?"

// suggestQuartz returns the end of an error, such as `; did you mean "0 30 2 *
// * ?"`, for a crontab of five fields (minute hour day-of-month month
// day-of-week) or a macro. It returns "" unless the suggestion fires at exactly
// the same times.
func suggestQuartz(parts []part) string {
	text := ""
	switch len(parts) {
	case 1:
		text = quartzOfMacro[parts[0].text]
	case 5:
		monthDay, weekDay := parts[2].text, parts[4].text
		if !matchesEveryDay(monthDay) && !matchesEveryDay(weekDay) {
			return eitherDay
		}
		var ok bool
		if monthDay, weekDay, ok = quartzDays(monthDay, weekDay); ok {
			text = strings.Join([]string{"0", parts[0].text, parts[1].text, monthDay, parts[3].text, weekDay}, " ")
		}
	}
	return didYouMean(text)
}

// didYouMean returns the end of an error that suggests text, or "" if text is
// not a valid expression or never fires.
func didYouMean(text string) string {
	if text == "" {
		return ""
	}
	if s, err := parseFields(splitFields(text), len(text)); err != nil || s.Never() {
		return ""
	}
	return `; did you mean "` + text + `"`
}

// matchesEveryDay reports whether a day field does not restrict the day.
func matchesEveryDay(field string) bool { return field == "*" || field == "?" }

// suggestOpenDay is [suggestQuartz] for six or seven fields that have ? in both
// day fields or in neither. It suggests nothing if the weekday is a number:
// other cron implementations with a second field number the weekdays
// differently.
func suggestOpenDay(parts []part) string {
	parts = slices.Clone(parts)
	switch monthDay, weekDay := parts[3].text, parts[5].text; {
	case monthDay == "?": // both are
		return ""
	case weekDay == "*":
		parts[5].text = "?"
	case monthDay == "*" && !strings.ContainsAny(weekDay, "0123456789"):
		parts[3].text = "?"
	default:
		return ""
	}
	return didYouMean(normalise(parts))
}

// quartzDays converts the day fields of a crontab, one of which matches every
// day, to Quartz: with a question mark and with names of weekdays.
func quartzDays(monthDay, weekDay string) (string, string, bool) {
	if !matchesEveryDay(monthDay) {
		return monthDay, "?", true
	}
	if matchesEveryDay(weekDay) {
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

// crontabWeek parses the day-of-week field of a crontab. 0 and 7 are Sunday;
// the names are those of Quartz.
func crontabWeek(text string) (days [7]bool, ok bool) {
	for i, name := range dayOfWeek.names {
		text = strings.ReplaceAll(text, name, strconv.Itoa(i))
	}
	f := field{name: dayOfWeek.name, min: 0, max: 7, maxStep: 7}
	for _, one := range (part{text: text}).splitList() {
		from, step, stepped := one.cutAt("/")
		if from.text == "*" && stepped { // seven days: 0 and 7 are the same day
			one.text = "0-6/" + step.text
		} else if stepped && !strings.Contains(from.text, "-") { // crontabs do not agree on 1/2
			return days, false
		}
		if err := f.readValues(one, func(d int) { days[d%7] = true }); err != nil {
			return days, false
		}
	}
	return days, true
}

// weekText formats days, from Monday on, as a list of names and ranges of
// names.
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
