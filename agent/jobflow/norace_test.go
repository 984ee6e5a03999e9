//go:build !race

package jobflow_test

const raceEnabled = false
