package calendar

import (
	"testing"
	"time"
)

// The dates are those of the published tables, among them the earliest and the
// latest ones.
func TestEaster(t *testing.T) {
	for year, want := range map[int][2]string{
		1970: {"1970-03-29", "1970-04-26"}, 1981: {"1981-04-19", "1981-04-26"}, 2000: {"2000-04-23", "2000-04-30"}, 2008: {"2008-03-23", "2008-04-27"},
		2011: {"2011-04-24", "2011-04-24"}, 2024: {"2024-03-31", "2024-05-05"}, 2025: {"2025-04-20", "2025-04-20"}, 2026: {"2026-04-05", "2026-04-12"},
		2027: {"2027-03-28", "2027-05-02"}, 2038: {"2038-04-25", "2038-04-25"}, 2100: {"2100-03-28", "2100-05-02"}, 2285: {"2285-03-22", "2285-04-26"},
	} {
		if got := easterOf(year).String(); got != want[0] {
			t.Errorf("Easter of %d is %s, want %s", year, got, want[0])
		}
		if got := orthodoxEasterOf(year).String(); got != want[1] {
			t.Errorf("Orthodox Easter of %d is %s, want %s", year, got, want[1])
		}
	}
}

func TestEasterIsASunday(t *testing.T) {
	for y := 1970; y < 2300; y++ {
		e, o := easterOf(y), orthodoxEasterOf(y)
		if e.Weekday() != time.Sunday || o.Weekday() != time.Sunday || e < DateAt(y, 3, 22) || e > DateAt(y, 4, 25) || o < e || o > e+35 {
			t.Errorf("Easter of %d is %v, and %v in the Orthodox churches", y, e, o)
		}
	}
}
