//go:build !race

package classfile

const raceFactor = 1
