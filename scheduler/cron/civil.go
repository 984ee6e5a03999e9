package cron

// civil is a time on a wall clock without a zone: the number of seconds since
// the clock showed 1970-01-01 00:00:00, where each day has 86,400 seconds.
type civil int64

const secondsPerDay = 24 * 60 * 60

// nextCivil returns the first matching civil time after c. It knows no zone, so
// the clocks of a location may never show that time.
func (s *Schedule) nextCivil(c civil) (civil, bool) {
	c = max(c+1, 0)
	day, sec := int(c/secondsPerDay), int(c%secondsPerDay)
	y, m, d := dateOf(day)
	if s.years.has(y) && s.months.has(m) {
		first := day - d + 1
		days := s.days.daysOf(weekdayOf(first), daysIn(y, m)) >> d
		if days&1 == 1 {
			if sec, ok := s.timeFrom(sec); ok {
				return civilAt(day, sec), true
			}
		}
		if later := set(days).firstFrom(1); later < 64 {
			return civilAt(day+later, s.firstTime), true
		}
	}
	day, ok := s.monthAfter(y, m)
	return civilAt(day, s.firstTime), ok
}

// timeFrom returns the first matching time of a day at or after sec. Both are
// in seconds since midnight.
func (s *Schedule) timeFrom(sec int) (int, bool) {
	h, m, x := sec/3600, sec/60%60, sec%60
	if s.hours.has(h) {
		if s.minutes.has(m) {
			if x = s.seconds.firstFrom(x); x < 64 {
				return h*3600 + m*60 + x, true
			}
		}
		if m = s.minutes.firstFrom(m + 1); m < 64 {
			return h*3600 + m*60 + s.seconds.firstFrom(0), true
		}
	}
	if h = s.hours.firstFrom(h + 1); h < 64 {
		return h*3600 + s.minutes.firstFrom(0)*60 + s.seconds.firstFrom(0), true
	}
	return 0, false
}

// monthAfter returns the first matching day in the months after month m of year
// y.
func (s *Schedule) monthAfter(y, m int) (day int, ok bool) {
	start := y
	for y = s.years.firstFrom(y); y <= MaxYear; y = s.years.firstFrom(y + 1) {
		if y > start {
			m = 0
		}
		for m = s.months.firstFrom(m + 1); m < 64; m = s.months.firstFrom(m + 1) {
			first := dayOf(y, m)
			if days := s.days.daysOf(weekdayOf(first), daysIn(y, m)); days != 0 {
				return first + set(days).firstFrom(1) - 1, true
			}
		}
	}
	return 0, false
}

func civilAt(day, sec int) civil { return civil(day)*secondsPerDay + civil(sec) }

// dayNumber returns the number of days since 1970-01-01. It is correct for
// times from then on.
func (c civil) dayNumber() int { return int(c / secondsPerDay) }

// weekdayOf returns the weekday of a day number; 0 is Sunday. Day 0,
// 1970-01-01, was a Thursday.
func weekdayOf(day int) int { return (day + 4) % 7 }

// The following functions count years from 1 March, so that a leap day is the
// last day of its year. They are correct for years from 0 on. The algorithms
// are those of howardhinnant.github.io/date_algorithms.html.
const (
	daysPer400Years = 146097
	dayZero         = 719468 // days from 0000-03-01 to 1970-01-01
)

// dayOf returns the number of days from 1970-01-01 to the first day of a month.
func dayOf(y, m int) int {
	if m <= 2 {
		y, m = y-1, m+12
	}
	era, yoe := y/400, y%400
	return era*daysPer400Years + yoe*365 + yoe/4 - yoe/100 + (153*(m-3)+2)/5 - dayZero
}

// dateOf returns the date of a day number, the number of days since 1970-01-01.
func dateOf(day int) (y, m, d int) {
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

// daysIn returns the number of days of month m of year y.
func daysIn(y, m int) int {
	if m == 2 {
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (m+m>>3)&1
}
