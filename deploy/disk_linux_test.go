package deploy

import "syscall"

// freeBytes returns the free space of a file system, 0 if dir does not exist.
func freeBytes(dir string) uint64 {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return 0
	}
	return s.Bavail * uint64(s.Bsize)
}
