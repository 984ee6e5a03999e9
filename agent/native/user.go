package native

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
)

// User is the user whom processes run as, beside that of the agent.
type User struct {
	Name     string
	Home     string // may not exist
	UID, GID uint32
}

// LookupUser returns the user of a name or of a number. It refuses root.
func LookupUser(name string) (*User, error) {
	found, err := user.Lookup(name)
	if _, numErr := strconv.Atoi(name); err != nil && numErr == nil {
		found, err = user.LookupId(name)
	}
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(found.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("the user %s has the id %s: want a number", name, found.Uid)
	}
	gid, err := strconv.ParseUint(found.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("the group of the user %s has the id %s: want a number", name, found.Gid)
	}
	if uid == 0 || gid == 0 {
		return nil, fmt.Errorf("the user %s has root privileges, want another user", name)
	}
	return &User{Name: found.Username, Home: found.HomeDir, UID: uint32(uid), GID: uint32(gid)}, nil
}

// workplace is where processes of an attempt that run as another user have
// their files. The agent's user owns root, so that the other one cannot put
// something else in its place.
//
//	root/         others may only pass through
//	root/*.sh     scripts, which belong to the user
//	root/tmp/     working directory and TMPDIR, which belong to the user
type workplace struct {
	user *User // nil: processes run as the agent's user, and root is empty
	root string
}

// openWorkplace makes the folders for a user. A nil user needs none.
func openWorkplace(u *User) (w workplace, err error) {
	if u == nil {
		return w, nil
	}
	w = workplace{user: u}
	if w.root, err = os.MkdirTemp("", "jobstreamer-*"); err != nil {
		return w, err
	}
	for _, step := range []func() error{
		func() error { return os.Chmod(w.root, 0o711) },
		func() error { return os.Mkdir(w.temporary(), 0o700) },
		func() error { return os.Chown(w.temporary(), int(u.UID), int(u.GID)) },
	} {
		if err := step(); err != nil {
			w.remove()
			return w, err
		}
	}
	return w, nil
}

func (w *workplace) temporary() string { return filepath.Join(w.root, "tmp") }

// directory returns the working directory of a process whose step asks for dir.
func (w *workplace) directory(dir string) string {
	if dir == "" && w.user != nil {
		return w.temporary()
	}
	return dir
}

// remove removes the folders. It does not follow links.
func (w *workplace) remove() {
	if w.root != "" {
		_ = os.RemoveAll(w.root) // it is in the folder of temporary files
	}
}

// give gives a file to the user.
func (w *workplace) give(f *os.File) error {
	if w.user == nil {
		return nil
	}
	return f.Chown(int(w.user.UID), int(w.user.GID))
}

// environment returns the variables of env, with those of the user in place of
// those of the agent's user.
func (w *workplace) environment(env []string) []string {
	env = slices.Clone(env)
	if w.user == nil {
		return env
	}
	home := w.user.Home
	if info, err := os.Stat(home); err != nil || !info.IsDir() {
		home = w.temporary()
	}
	return append(env, "HOME="+home, "TMPDIR="+w.temporary(), "USER="+w.user.Name, "LOGNAME="+w.user.Name, "SHELL=/bin/sh")
}
