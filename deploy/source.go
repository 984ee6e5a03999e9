package deploy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// source opens files by name: an [os.Root], which follows no link out of its
// folder, or everywhere.
type source interface {
	Stat(name string) (fs.FileInfo, error)
	OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error)
	OpenRoot(name string) (*os.Root, error)
}

// everywhere opens each file that the process can read.
type everywhere struct{}

func (everywhere) Stat(name string) (fs.FileInfo, error)  { return os.Stat(name) }
func (everywhere) OpenRoot(name string) (*os.Root, error) { return os.OpenRoot(name) }
func (everywhere) OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag, perm)
}

// errSpecial is the error of a file that is neither regular nor a folder. The
// read of a pipe or a device may block or never end.
var errSpecial = errors.New("it is not a regular file")

func checkType(st fs.FileInfo) error {
	if st.IsDir() || st.Mode().IsRegular() {
		return nil
	}
	return errSpecial
}

// openFile opens a regular file or a folder that is not in a closed folder. It
// checks the opened file too: somebody may have replaced it since the first
// check. So it opens without blocking, as the file may be a pipe by then.
func openFile(from source, name string, closed closedFolders) (*os.File, fs.FileInfo, error) {
	st, err := from.Stat(name)
	if err != nil {
		return nil, nil, err
	}
	if err := checkType(st); err != nil {
		return nil, nil, err
	}
	f, err := from.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	if st, err = f.Stat(); err == nil {
		err = checkType(st)
	}
	if err == nil {
		err = closed.checkFile(f)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, st, nil
}

// closedFolder is a folder whose files no class path may contain.
type closedFolder struct {
	path string
	info fs.FileInfo
}

type closedFolders []closedFolder

// closedError is the error of a file in a closed folder.
type closedError struct{ folder string }

func (e *closedError) Error() string { return "it is in " + e.folder }

// sharedMemory is the folder below /dev with files of users in memory.
const sharedMemory = "/dev/shm"

// closeFolders returns these folders, which must exist, and those of the system
// that contain devices and processes.
func closeFolders(paths []string) (all closedFolders, err error) {
	for _, path := range paths {
		st, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("deploy: Config.Closed: %w", err)
		}
		all = append(all, closedFolder{path, st})
	}
	for _, path := range []string{"/dev", "/proc", "/sys"} {
		if st, err := os.Stat(path); err == nil && runtime.GOOS != "windows" {
			all = append(all, closedFolder{path, st})
		}
	}
	return all, nil
}

// checkFile returns a [closedError] if an open file is one of the folders or
// lies below one. It compares folders, not their names: a folder has other
// names through links and mounts.
func (c closedFolders) checkFile(f *os.File) error {
	if len(c) == 0 {
		return nil
	}
	path, err := realPath(f)
	if err != nil {
		return err
	}
	for {
		if st, err := os.Stat(path); err == nil {
			for _, closed := range c {
				if os.SameFile(st, closed.info) {
					return &closedError{closed.path}
				}
			}
		}
		above := filepath.Dir(path)
		if above == path || path == sharedMemory {
			return nil
		}
		path = above
	}
}

// realPath returns the path of an open file without links. On Linux it is that
// of the file, even if its name means another file now.
func realPath(f *os.File) (string, error) {
	if path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd())); err == nil && filepath.IsAbs(path) {
		return path, nil
	}
	return filepath.EvalSymlinks(f.Name())
}
