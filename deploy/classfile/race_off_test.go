//go:build !race

package classfile

const (
	raceFactor = 1
	raceMemory = 1
)
