//go:build !race

package scheduler

// simSchedules is how many schedules a simulation has.
const simSchedules = 1000
