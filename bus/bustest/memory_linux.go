package bustest

import (
	"os"
	"syscall"
)

// memoryDir is where Linux keeps files in memory.
const memoryDir = "/dev/shm"

// useMemoryForFiles moves the temporary files of all tests, and of the
// processes that they start, into memory. Each broker creates dozens of files
// and syncs them; on a disk that takes most of the time. A process that is
// killed loses nothing of what it wrote there.
//
// It leaves them where they are if TMPDIR names a place, if there is not enough
// room, or if programs cannot be started from there.
func useMemoryForFiles() {
	const room = 4 << 30
	var fs syscall.Statfs_t
	if os.Getenv("TMPDIR") != "" || syscall.Statfs(memoryDir, &fs) != nil {
		return
	}
	const noexec = 0x8 // ST_NOEXEC of statvfs(3)
	if fs.Bavail*uint64(fs.Bsize) < room || fs.Flags&noexec != 0 {
		return
	}
	_ = os.Setenv("TMPDIR", memoryDir) // it fails for bad names only
}
