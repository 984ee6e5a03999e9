//go:build race

package scheduler

// simSchedules is smaller with the race detector, which takes seven times as long.
const simSchedules = 100
