package cron

import (
	"testing"
	"time"
)

func BenchmarkNext(b *testing.B) {
	for _, name := range []string{"UTC", "Europe/Berlin"} {
		for _, expr := range []string{
			"* * * * * ?", "0 0/5 * * * ?", "0 0 3 * * ?", "0 0 12 ? * 6#3", "0 15 10 LW * ?", "0 0 0 29 2 ?",
		} {
			b.Run(name+" "+expr, func(b *testing.B) {
				s := mustParse(b, expr)
				from := time.Date(2026, 1, 1, 0, 0, 0, 0, mustZone(b, name))
				at := from
				for b.Loop() {
					if at = s.Next(at); at.IsZero() {
						at = from
					}
				}
			})
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse("0 0/30 8-10 ? JAN-MAR MON-FRI 2026-2030"); err != nil {
			b.Fatal(err)
		}
	}
}
