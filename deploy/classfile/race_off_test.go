//go:build !race

package classfile

const raceMemory = 1
