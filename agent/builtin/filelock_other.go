//go:build !unix

package builtin

import "os"

// lockFile does nothing: a lock of Windows would also lock out readers.
func lockFile(*os.File) error { return nil }

// syncDir does nothing: Windows cannot sync a folder.
func syncDir(string) error { return nil }
