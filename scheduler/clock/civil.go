package clock

// Civil is a time on a wall clock without a zone: the number of seconds since
// the clock showed 1970-01-01 00:00:00, where each day has 86,400 seconds.
type Civil int64

// SecondsPerDay is the length of a civil day.
const SecondsPerDay = 24 * 60 * 60

// CivilAt returns the civil time sec seconds after midnight of a day. Days are
// counted from 1970-01-01.
func CivilAt(day, sec int) Civil { return Civil(day)*SecondsPerDay + Civil(sec) }

// DayNumber returns the number of days since 1970-01-01. It is correct for
// times from then on.
func (c Civil) DayNumber() int { return int(c / SecondsPerDay) }

// WeekdayOf returns the weekday of a day number; 0 is Sunday. Day 0,
// 1970-01-01, was a Thursday.
func WeekdayOf(day int) int { return (day + 4) % 7 }

// The following functions count years from 1 March, so that a leap day is the
// last day of its year. They are correct for years from 0 on. The algorithms
// are those of howardhinnant.github.io/date_algorithms.html.
const (
	daysPer400Years = 146097
	dayZero         = 719468 // days from 0000-03-01 to 1970-01-01
)

// DayOf returns the number of days from 1970-01-01 to the first day of a month.
func DayOf(y, m int) int {
	if m <= 2 {
		y, m = y-1, m+12
	}
	era, yoe := y/400, y%400
	return era*daysPer400Years + yoe*365 + yoe/4 - yoe/100 + (153*(m-3)+2)/5 - dayZero
}

// DateOf returns the date of a day number, the number of days since 1970-01-01.
func DateOf(day int) (y, m, d int) {
	day += dayZero
	era, doe := day/daysPer400Years, day%daysPer400Years
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	y, m, d = era*400+yoe, mp+3, doy-(153*mp+2)/5+1
	if m > 12 {
		y, m = y+1, m-12
	}
	return y, m, d
}

// DaysIn returns the number of days of month m of year y.
func DaysIn(y, m int) int {
	if m == 2 {
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (m+m>>3)&1
}
