package calendar

import (
	"strconv"
	"strings"
)

// parseTimeOfDay parses a time such as 6:30 or 06:30 and returns it in seconds
// after midnight. The hour must be below hours.
func parseTimeOfDay(text string, hours int) (int, bool) {
	h, m, found := strings.Cut(text, ":")
	if !found || len(h) < 1 || len(h) > 2 || len(m) != 2 || !isNumber(h) || !isNumber(m) {
		return 0, false
	}
	hour, _ := strconv.Atoi(h)
	minute, _ := strconv.Atoi(m)
	return (hour*60 + minute) * 60, hour < hours && minute < 60
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
