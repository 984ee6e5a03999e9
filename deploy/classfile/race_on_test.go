//go:build race

package classfile

// How much more memory the race detector takes.
const raceMemory = 4
