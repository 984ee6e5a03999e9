package cron

import "github.com/job-streamer/job-streamer-control-bus/scheduler/clock"

// nextCivil returns the first matching civil time after c. It knows no zone, so
// the clocks of a location may never show that time.
func (s *Schedule) nextCivil(c clock.Civil) (clock.Civil, bool) {
	c = max(c+1, 0)
	day, sec := int(c/clock.SecondsPerDay), int(c%clock.SecondsPerDay)
	y, m, d := clock.DateOf(day)
	if s.years.has(y) && s.months.has(m) {
		first := day - d + 1
		days := s.days.daysOf(clock.WeekdayOf(first), clock.DaysIn(y, m)) >> d
		if days&1 == 1 {
			if sec, ok := s.timeFrom(sec); ok {
				return clock.CivilAt(day, sec), true
			}
		}
		if later := set(days).firstFrom(1); later < 64 {
			return clock.CivilAt(day+later, s.firstTime), true
		}
	}
	day, ok := s.monthAfter(y, m)
	return clock.CivilAt(day, s.firstTime), ok
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
			first := clock.DayOf(y, m)
			if days := s.days.daysOf(clock.WeekdayOf(first), clock.DaysIn(y, m)); days != 0 {
				return first + set(days).firstFrom(1) - 1, true
			}
		}
	}
	return 0, false
}
