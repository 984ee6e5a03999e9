package cli

import (
	"testing"
	"time"
)

func TestWhen(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 24, 17, 30, 0, 0, berlin)
	for text, want := range map[string]string{
		"18:00":                     "2026-11-23T18:00:00+01:00",
		"17:30":                     "2026-11-24T17:30:00+01:00",
		"9:05":                      "2026-11-24T09:05:00+01:00",
		"06:00:30":                  "2026-11-24T06:00:30+01:00",
		"today":                     "2026-11-24T00:00:00+01:00",
		"Yesterday":                 "2026-11-23T00:00:00+01:00",
		"yesterday 18:00":           "2026-11-23T18:00:00+01:00",
		"today 06:00":               "2026-11-24T06:00:00+01:00",
		"2026-11-20":                "2026-11-20T00:00:00+01:00",
		"2026-07-20 18:00":          "2026-07-20T18:00:00+02:00",
		"2026-11-20T18:00:10":       "2026-11-20T18:00:10+01:00",
		"2026-11-20T18:00:00Z":      "2026-11-20T18:00:00Z",
		"2026-11-20T18:00:00+09:00": "2026-11-20T18:00:00+09:00",
		"2h":                        "2026-11-24T15:30:00+01:00",
		"1h30m":                     "2026-11-24T16:00:00+01:00",
		"3d":                        "2026-11-21T17:30:00+01:00",
		"1w":                        "2026-11-17T17:30:00+01:00",
	} {
		got, ok := parseTime(text, now, berlin, false)
		if !ok || got.Format(time.RFC3339) != want {
			t.Errorf("%s = %v, %v; want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", "now-ish", "tomorrow", "2026-13-01", "2026-02-30", "25:00", "18", "6pm", "-2h", "+2h", "2", "0", "1y", "1e9d", "99999999d", "yesterday 25:00",
		"2026-11-20 18", "2026-11-20T18:00:00+99:00", "today today",
	} {
		if got, ok := parseTime(text, now, berlin, false); ok {
			t.Errorf("%q = %v, want that it is refused", text, got)
		}
	}
	for text, want := range map[string]string{
		"2026-11-20": "2026-11-21T00:00:00+01:00", "yesterday": "2026-11-24T00:00:00+01:00", "2026-10-25": "2026-10-26T00:00:00+01:00", "18:00": "2026-11-23T18:00:00+01:00",
	} {
		if got, _ := parseTime(text, now, berlin, true); got.Format(time.RFC3339) != want {
			t.Errorf("until %s = %v, want %s", text, got, want)
		}
	}
}
