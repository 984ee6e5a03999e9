package deploy

import "syscall"

// freeBytes returns how much room a file system has, 0 if it is not there.
func freeBytes(dir string) uint64 {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return 0
	}
	return s.Bavail * uint64(s.Bsize)
}
