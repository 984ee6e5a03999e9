package chart

import (
	"fmt"
	"math"
	"time"
)

// axis is a y axis from 0 to top with n steps of equal, round length.
type axis struct {
	top, step float64
	n         int
}

// yAxis returns an axis that ends at the first round value not below most. most
// must be greater than 0.
func yAxis(most float64) axis {
	const steps = 5 // at most
	step := math.Pow(10, math.Floor(math.Log10(most/steps)))
	for _, times := range []float64{2, 2.5, 2} { // 1, 2, 5, 10
		if most <= steps*step*(1+1e-9) {
			break
		}
		step *= times
	}
	n := math.Ceil(most/step - 1e-9)
	return axis{n * step, step, int(n)}
}

// formatLabel returns the label of a value. All labels of an axis have the unit
// of its top.
func (y axis) formatLabel(v float64, bytes bool) string {
	unit, scale := "", 1.0
	if bytes {
		unit = " B"
		for _, u := range []string{" kB", " MB", " GB", " TB", " PB"} {
			if y.top/scale >= 1000 {
				unit, scale = u, scale*1000
			}
		}
	}
	decimals := max(0, -int(math.Floor(math.Log10(y.step/scale)+1e-9)))
	return fmt.Sprintf("%.*f%s", decimals, v/scale, unit)
}

// tick is a labelled time of the x axis.
type tick struct {
	at    time.Time
	label string
}

// axisTicks returns the labelled times between from and to: every third hour of
// a day, days of a week, Mondays of a month, or months of a year. They are in
// the time zone of from.
func axisTicks(from, to time.Time) (all []tick) {
	y, m, d := from.Date()
	day := func(d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, from.Location()) }
	next, format := func(i int) time.Time { return time.Date(y, m, d, 3*i, 0, 0, 0, from.Location()) }, "15:04"
	switch span := to.Sub(from); {
	case span > 100*24*time.Hour:
		next, format = func(i int) time.Time { return time.Date(y, m+time.Month(i), 1, 0, 0, 0, 0, from.Location()) }, "Jan"
	case span > 10*24*time.Hour:
		monday := d - (int(from.Weekday())+6)%7
		next, format = func(i int) time.Time { return day(monday + 7*i) }, "Jan 2"
	case span > 2*24*time.Hour:
		next, format = func(i int) time.Time { return day(d + i) }, "Mon 2"
	}
	for i := 0; ; i++ {
		t := next(i)
		if t.After(to) {
			return all
		}
		if !t.Before(from) {
			all = append(all, tick{t, t.Format(format)})
		}
	}
}
