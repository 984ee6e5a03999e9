//go:build !linux

package reaper

// Main does nothing: a program can be process 1 only on Linux.
func Main() {}
