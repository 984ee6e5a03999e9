package main

import (
	"fmt"
	"log/slog"
	"os"
	"runtime"
)

// checkSecretFile returns a usage error if all users of the machine can use the
// file of a flag. Its group may, since containers get secrets by a group.
func checkSecretFile(flag, file string) error {
	if mode, open := isOpenToAll(file); open {
		return usageError{fmt.Errorf("--%s %s: all users of the machine can use it (mode %04o); want 0600, or 0640 for a group", flag, file, mode)}
	}
	return nil
}

// warnOfReadable logs a warning if all users of the machine can use the secret
// file of a flag. It is for files that have this mode in usual set-ups: the
// secrets of Kubernetes have 0644 unless told otherwise.
func warnOfReadable(log *slog.Logger, flag, file string) {
	if mode, open := isOpenToAll(file); open {
		log.Warn("all users of the machine can use a file with a secret; give it the mode 0600, or 0640 for a group",
			"flag", "--"+flag, "file", file, "mode", fmt.Sprintf("%04o", mode))
	}
}

// isOpenToAll reports whether all users of the machine can use a file, and its
// mode. A file that does not exist is not open: reading it reports that it is
// missing.
func isOpenToAll(file string) (mode os.FileMode, open bool) {
	is, err := os.Stat(file)
	if err != nil || !is.Mode().IsRegular() || runtime.GOOS == "windows" {
		return 0, false
	}
	mode = is.Mode().Perm()
	return mode, mode&0o007 != 0
}

// secretFile is a file with a secret, and its flag without the dashes.
type secretFile struct{ flag, file string }

// secretFiles returns the files with secrets. That of the password is among them
// until checkSecrets has read it.
func (s *natsSettings) secretFiles() []secretFile {
	return []secretFile{{"nats-creds", s.creds}, {"nats-key", s.key}, {"nats-password-file", s.passwordFile}}
}

// checkSecretFiles logs a warning for each file with a secret that all users of
// the machine can use. If jobs run as another user, who could read the file too,
// it returns a usage error.
func (s *natsSettings) checkSecretFiles(runAs string, log *slog.Logger) error {
	for _, f := range s.secretFiles() {
		if runAs == "" {
			warnOfReadable(log, f.flag, f.file)
		} else if err := checkSecretFile(f.flag, f.file); err != nil {
			return fmt.Errorf("%w; jobs that run as %s could read it", err, runAs)
		}
	}
	return nil
}
