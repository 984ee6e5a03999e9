package main

import (
	"runtime/debug"
)

// tune lets the garbage grow to four times of what lives before it is collected, which is worth a tenth of a bus's throughput, but not
// beyond what a small machine has. GOGC and GOMEMLIMIT, if set, are obeyed instead.
func tune(env map[string]string) {
	if env["GOGC"] == "" && env["GOMEMLIMIT"] == "" {
		debug.SetGCPercent(400)
		debug.SetMemoryLimit(memoryLimit)
	}
}

// memoryLimit is from where the collector works harder rather than let the process grow, in bytes.
const memoryLimit = 1 << 30
