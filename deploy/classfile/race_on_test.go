//go:build race

package classfile

// How much slower the race detector makes us, and how much more memory it takes.
const (
	raceFactor = 15
	raceMemory = 4
)
