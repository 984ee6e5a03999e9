package crontab

import (
	"fmt"
	"strconv"
	"strings"
)

// kind describes one of the five fields.
type kind struct {
	name     string
	min, max int
	names    []string // of the values from min on; nil: none
}

var kinds = [5]kind{
	{"minute", 0, 59, nil}, {"hour", 0, 23, nil}, {"day of month", 1, 31, nil},
	{"month", 1, 12, []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
	{"weekday", 0, 7, []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}}, // 0 and 7 are Sunday
}

// field is one field of a line.
type field struct {
	kind
	text string
	star bool // it begins with *
	in   [60]bool
}

// parse parses a field: a list of *, values and ranges, the first and the last
// maybe with a step.
func (k kind) parse(text string) (field, error) {
	f := field{kind: k, text: text, star: strings.HasPrefix(text, "*")}
	for item := range strings.SplitSeq(text, ",") {
		if err := f.addItem(item); err != nil {
			return f, fmt.Errorf("%s %q: %w", k.name, text, err)
		}
	}
	if k.name == "weekday" && f.in[7] {
		f.in[0], f.in[7] = true, false
	}
	return f, nil
}

func (f *field) addItem(item string) (err error) {
	span, stepText, stepped := strings.Cut(item, "/")
	step := 1
	if stepped {
		if step, err = strconv.Atoi(stepText); err != nil || step < 1 || strings.HasPrefix(stepText, "+") {
			return fmt.Errorf("want a step from 1, not %q", stepText)
		}
	}
	from, to := f.min, f.max
	if f.name == "weekday" {
		to = 6
	}
	if span != "*" {
		low, high, ranged := strings.Cut(span, "-")
		if from, err = f.value(low); err != nil {
			return err
		}
		switch {
		case ranged:
			if to, err = f.value(high); err != nil {
				return err
			}
		case stepped: // crons do not agree on what 5/10 means
			return fmt.Errorf("want a range before the step, such as %s-%d/%s", low, to, stepText)
		default:
			to = from
		}
		if from > to {
			return fmt.Errorf("the range %s ends before it begins", span)
		}
	}
	for v := from; v <= to; v += step {
		f.in[v] = true
	}
	return nil
}

func (f *field) value(s string) (int, error) {
	for i, name := range f.names {
		if strings.EqualFold(s, name) {
			return f.min + i, nil
		}
	}
	v, err := strconv.Atoi(s)
	if err != nil || v < f.min || v > f.max || s[0] == '+' {
		return 0, fmt.Errorf("want %d to %d, not %q", f.min, f.max, s)
	}
	return v, nil
}

// isFull reports whether the field matches everything.
func (f *field) isFull() bool {
	for v := f.min; v <= f.last(); v++ {
		if !f.in[v] {
			return false
		}
	}
	return true
}

func (f *field) last() int {
	if f.name == "weekday" {
		return 6
	}
	return f.max
}

// quartz returns the field as Quartz writes it: a step if there is one, or else
// a list of values and ranges.
func (f *field) quartz() string {
	if f.isFull() {
		return "*"
	}
	if step, ok := f.step(); ok {
		return "*/" + strconv.Itoa(step)
	}
	var parts []string
	for v := f.min; v <= f.last(); v++ {
		if !f.in[v] {
			continue
		}
		end := v
		for f.hasRanges() && end < f.last() && f.in[end+1] {
			end++
		}
		if end < v+2 {
			end = v
			parts = append(parts, f.word(v))
		} else {
			parts = append(parts, f.word(v)+"-"+f.word(end))
		}
		v = end
	}
	return strings.Join(parts, ",")
}

// hasRanges reports whether the field may be written with ranges. A list of
// hours names times of the day: like cron's, these run once where clocks change.
// Ranges and steps follow real time, as * does in cron.
func (f *field) hasRanges() bool { return f.name != "hour" || f.star }

// step returns the step n if the field was written as */n.
func (f *field) step() (int, bool) {
	if !strings.HasPrefix(f.text, "*/") || strings.Contains(f.text, ",") || f.name == "weekday" {
		return 0, false
	}
	n, err := strconv.Atoi(f.text[2:])
	return n, err == nil && n <= f.max
}

func (f *field) word(v int) string {
	if f.name == "weekday" {
		return strings.ToUpper(f.names[v])
	}
	return strconv.Itoa(v)
}
