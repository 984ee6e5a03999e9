package calendar

// easterOf returns the Easter Sunday of the Gregorian calendar. The
// calculation is that of Meeus, Jones and Butcher.
func easterOf(year int) Date {
	golden := year % 19
	century, y := year/100, year%100
	// Days from 21 March to the full moon that Easter follows.
	moon := (19*golden + century - century/4 - (century-(century+8)/25+1)/3 + 15) % 30
	weekday := (32 + 2*(century%4) + 2*(y/4) - moon - y%4) % 7
	late := (golden + 11*moon + 22*weekday) / 451
	return DateAt(year, 3, 22+moon+weekday-7*late)
}

// orthodoxEasterOf returns the Easter Sunday of the Julian calendar, as a date
// of the Gregorian calendar.
func orthodoxEasterOf(year int) Date {
	moon := (19*(year%19) + 15) % 30
	weekday := (2*(year%4) + 4*(year%7) - moon + 34) % 7
	behind := year/100 - year/400 - 2 // days of the Julian calendar behind the Gregorian
	return DateAt(year, 3, 22+moon+weekday+behind)
}
