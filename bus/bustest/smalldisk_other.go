//go:build !linux

package bustest

import "testing"

// SmallDisk skips the test: tests can mount a file system in memory on Linux
// only.
func SmallDisk(t testing.TB, _ string) string {
	t.Helper()
	t.Skip("a small file system can be mounted on Linux only")
	return ""
}
