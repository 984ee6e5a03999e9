//go:build !linux

package deploy

func freeBytes(string) uint64 { return 0 }
