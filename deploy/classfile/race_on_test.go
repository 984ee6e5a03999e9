//go:build race

package classfile

const raceFactor = 15 // how much slower the race detector makes us
