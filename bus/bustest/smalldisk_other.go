//go:build !linux

package bustest

import "testing"

// SmallDisk skips the test: only Linux has file systems in memory that a test can mount.
func SmallDisk(t testing.TB, _ string) string {
	t.Helper()
	t.Skip("a small file system can be mounted on Linux only")
	return ""
}
