package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const holidayFile = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\n" +
	"BEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20271227\r\nDTEND;VALUE=DATE:20271229\r\nSUMMARY:Christmas (substitute days)\r\nEND:VEVENT\r\n" +
	"BEGIN:VEVENT\r\nUID:2\r\nDTSTART;VALUE=DATE:20260501\r\nRRULE:FREQ=YEARLY\r\nSUMMARY:Labour Day\r\nEND:VEVENT\r\n" +
	"BEGIN:VEVENT\r\nUID:3\r\nDTSTART:20260501T090000Z\r\nSUMMARY:Meeting\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

func TestCalendarCommands(t *testing.T) {
	e, _ := withBus(t)
	file := filepath.Join(t.TempDir(), "holidays.ics")
	if err := os.WriteFile(file, []byte(holidayFile), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(line string) outcome {
		t.Helper()
		return e.runOnce(t.Context(), strings.Fields(line)...)
	}
	expect := func(line, out, err string) {
		t.Helper()
		if got := run(line); got.out != out || got.err != err || (got.failed != nil) != (out == "") {
			t.Errorf("%s:\n%s%s(%v)\nwant\n%s%s", line, got.out, got.err, got.failed, out, err)
		}
	}
	expect("calendar list", "No calendars. Create one with `jobstreamer calendar apply NAME -f FILE`.\n", "")
	warning := file + `: warning: event "Meeting" was skipped: it begins at a time of day: DTSTART is 20260501T090000Z` + "\n"
	for range 2 {
		expect("calendar apply bank -f "+file+" --weekly sat,sun", "Calendar bank was saved: 2 dates, 1 rule.\n", warning)
		expect("calendar apply bank --add -f "+file, "Calendar bank was saved: 2 dates, 1 rule.\n", warning)
	}
	e.in = "name: all\ninclude: [bank]\nholidays: [{date: 2027-12-27, name: Stocktaking}]\n"
	expect("calendar apply -f -", "Calendar all was saved: 1 date, 0 rules.\n", "")
	e.in = run("calendar get all -o edn").out
	expect("calendar apply -f - -o edn", e.in, "")
	if got := run("calendar list"); !strings.Contains(got.out, "bank  Sat Sun") || !strings.Contains(got.out, "all") {
		t.Errorf("%+v", got)
	}
	if got := run("calendar get bank"); !strings.Contains(got.out, "FREQ=YEARLY from 2026-05-01 Labour Day") || !strings.Contains(got.out, "2027-12-27 Christmas") {
		t.Errorf("%+v", got)
	}
	expect("calendar delete bank --yes", "", "the calendar \"bank\" is used by other calendars: \"all\"\n")
	expect("calendar preview bank x", "", "YEAR \"x\": want a year from 1970 to 2299\n")
	expect("calendar apply -f "+file, "", "CALENDAR is missing: an iCalendar file has no name of a calendar\n")
	expect("calendar apply bank -f "+file+" --weekly x", "", "--weekly \"x\": want weekdays such as sat,sun, or none\n")

	got := run("calendar preview all 2027")
	for _, want := range []string{
		"all 2027: 259 business days, 106 holidays\n\nJanuary                 February                March\nMo Tu We Th Fr Sa Su    Mo Tu We Th Fr Sa Su    Mo Tu We Th Fr Sa Su\n" +
			"             1  2. 3.    1  2  3  4  5  6. 7.    1  2  3  4  5  6. 7.\n",
		"\n25 26 27 28 29 30.31.   29 30                   27*28*29 30 31\n",
		"\n* holiday   . weekly holiday\n\nSat 1 May   Labour Day (calendar bank)\nMon 27 Dec  Stocktaking\nTue 28 Dec  Christmas (substitute days) (calendar bank)\n",
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("preview:\n%s\nwant in it:\n%s", got.out, want)
		}
	}
	for line := range strings.Lines(got.out) {
		if len(line) > 81 || strings.Contains(line, "\x1b") {
			t.Errorf("line too long, or with colors: %q", line)
		}
	}
	expect("calendar delete all bank --yes", "Calendar all was deleted.\nCalendar bank was deleted.\n2 calendars: 2 deleted.\n", "")
}
