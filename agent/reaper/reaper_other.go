//go:build !linux

package reaper

// Main has nothing to do: only on Linux can a program be process 1.
func Main() {}
