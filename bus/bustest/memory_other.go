//go:build !linux

package bustest

func useMemoryForFiles() {}
