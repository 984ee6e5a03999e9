package main

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestGarbagePercent(t *testing.T) {
	const mb = 1 << 20
	for _, tt := range []struct {
		name       string
		rate, live float64
		want       int
	}{
		{"a bus at rest gives memory back", 0.1 * mb, 100 * mb, restPercent},
		{"a bus under load lets it grow", 300 * mb, 100 * mb, loadPercent},
		{"in between, to what two seconds allocate", 75 * mb, 100 * mb, 150},
		{"before the first collection nothing is known to live", 1 * mb, 0, loadPercent},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := garbagePercent(tt.rate, tt.live); got != tt.want {
				t.Errorf("garbagePercent(%v, %v) = %d, want %d", tt.rate, tt.live, got, tt.want)
			}
		})
	}
}

var kept []byte // live during the test below

// Not parallel, because the process has a single collector.
func TestGarbageIsGivenBack(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(loadPercent))
	g := &garbage{percent: loadPercent}
	kept = make([]byte, 64<<20)
	defer func() { kept = nil }()
	runtime.GC()
	g.bytes, _ = readHeap()

	g.adaptPercent(time.Hour) // almost nothing is allocated in an hour
	if got := debug.SetGCPercent(restPercent); got != restPercent {
		t.Errorf("GOGC at rest = %d, want %d", got, restPercent)
	}

	debug.SetGCPercent(25) // like a deployment
	g.adaptPercent(time.Second)
	if got := debug.SetGCPercent(25); got != 25 {
		t.Errorf("GOGC = %d while a deployment holds it at 25", got)
	}
}
