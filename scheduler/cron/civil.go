package cron

// civil is what a wall clock shows: the seconds since it showed 1970-01-01
// 00:00:00, each day having 86,400 of them.
type civil int64

const secondsPerDay = 24 * 60 * 60

// after returns the first civil time that matches and is later than c, whatever
// the zone.
func (s *Schedule) after(c civil) (civil, bool) {
	c = max(c+1, 0)
	day, sec := int(c/secondsPerDay), int(c%secondsPerDay)
	y, m, d := dateOf(day)
	if s.years.has(y) && s.months.has(m) {
		first := day - d + 1
		days := s.days.of(weekdayOf(first), daysIn(y, m)) >> d
		if days&1 == 1 {
			if sec, ok := s.timeFrom(sec); ok {
				return civilAt(day, sec), true
			}
		}
		if later := set(days).from(1); later < 64 {
			return civilAt(day+later, s.firstTime), true
		}
	}
	day, ok := s.monthAfter(y, m)
	return civilAt(day, s.firstTime), ok
}

// timeFrom returns the first time of the day that matches, from sec on, in
// seconds.
func (s *Schedule) timeFrom(sec int) (int, bool) {
	h, m, x := sec/3600, sec/60%60, sec%60
	if s.hours.has(h) {
		if s.minutes.has(m) {
			if x = s.seconds.from(x); x < 64 {
				return h*3600 + m*60 + x, true
			}
		}
		if m = s.minutes.from(m + 1); m < 64 {
			return h*3600 + m*60 + s.seconds.from(0), true
		}
	}
	if h = s.hours.from(h + 1); h < 64 {
		return h*3600 + s.minutes.from(0)*60 + s.seconds.from(0), true
	}
	return 0, false
}

// monthAfter returns the first day that matches in the months after m of y.
func (s *Schedule) monthAfter(y, m int) (day int, ok bool) {
	start := y
	for y = s.years.from(y); y <= MaxYear; y = s.years.from(y + 1) {
		if y > start {
			m = 0
		}
		for m = s.months.from(m + 1); m < 64; m = s.months.from(m + 1) {
			first := dayOf(y, m)
			if days := s.days.of(weekdayOf(first), daysIn(y, m)); days != 0 {
				return first + set(days).from(1) - 1, true
			}
		}
	}
	return 0, false
}

func civilAt(day, sec int) civil { return civil(day)*secondsPerDay + civil(sec) }

// day returns the number of days since 1970-01-01, for times from then on.
func (c civil) day() int { return int(c / secondsPerDay) }

// weekdayOf day 0, 1970-01-01, is a Thursday.
func weekdayOf(day int) int { return (day + 4) % 7 }

// Years begin in March in what follows, so that the day of a leap year is the
// last one: howardhinnant.github.io/date_algorithms.html, for years from 0 on.
const (
	daysPer400Years = 146097
	dayZero         = 719468 // days from 0000-03-01 to 1970-01-01
)

// dayOf returns the number of days from 1970-01-01 to the first of a month.
func dayOf(y, m int) int {
	if m <= 2 {
		y, m = y-1, m+12
	}
	era, yoe := y/400, y%400
	return era*daysPer400Years + yoe*365 + yoe/4 - yoe/100 + (153*(m-3)+2)/5 - dayZero
}

// dateOf is the date of a day since 1970-01-01.
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

func daysIn(y, m int) int {
	if m == 2 {
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (m+m>>3)&1
}
