// Package dbtest starts real databases for tests: private ones in temporary
// folders, that listen on Unix sockets only.
package dbtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Postgres starts PostgreSQL and returns the folder of its socket. Its user
// postgres needs no password. It skips the test if PostgreSQL is not installed.
func Postgres(t testing.TB) (dir string) {
	t.Helper()
	const folders = "/usr/lib/postgresql/*/bin"
	initdb, isReady := findProgram(t, "initdb", folders), findProgram(t, "pg_isready", folders)
	account := serverAccount(t, "postgres") // it refuses to run as root
	dir = folderFor(t, account)
	data := filepath.Join(dir, "data")
	runAs(t, account, initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
	// The server accepts connections before it accepts queries.
	ready := func() bool { return exec.Command(isReady, "-q", "-h", dir).Run() == nil }
	startServer(t, account, ready, findProgram(t, "postgres", folders),
		"-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=50")
	return dir
}

// MariaDB starts MariaDB and returns the path of its socket. Its user root needs
// no password, and it has the database test. It skips the test if MariaDB is not
// installed.
func MariaDB(t testing.TB) (socket string) {
	t.Helper()
	install := findProgram(t, "mariadb-install-db", "/usr/bin")
	server := findProgram(t, "mariadbd", "/usr/sbin")
	account := serverAccount(t, "mysql")
	dir := folderFor(t, account)
	data, socket := filepath.Join(dir, "data"), filepath.Join(dir, "socket")
	runAs(t, account, install, "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-name-resolve")
	ready := func() bool { return isListening(socket) }
	startServer(t, account, ready, server, "--no-defaults", "--datadir="+data, "--socket="+socket, "--pid-file="+filepath.Join(dir, "pid"),
		"--skip-networking", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M")
	return socket
}

// findProgram returns the path of a program, which may be in a folder that is
// not in PATH.
func findProgram(t testing.TB, name, folders string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	found, _ := filepath.Glob(filepath.Join(folders, name))
	if len(found) == 0 {
		t.Skipf("%s is not installed here (Debian: postgresql, mariadb-server)", name)
	}
	return found[len(found)-1]
}

// serverAccount returns the account that the server runs as if the tests run as
// root, and nil if they do not.
func serverAccount(t testing.TB, name string) *user.User {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	account, err := user.Lookup(name)
	if err != nil {
		t.Skipf("the server cannot run as root, and there is no other account: %v", err)
	}
	return account
}

// folderFor returns a temporary folder of the account. Its path is short, since
// that of a socket has at most 107 bytes.
func folderFor(t testing.TB, account *user.User) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if account != nil {
		uid, _ := strconv.Atoi(account.Uid)
		gid, _ := strconv.Atoi(account.Gid)
		if err := errors.Join(os.Chown(dir, uid, gid), os.Chmod(dir, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func runAs(t testing.TB, account *user.User, program string, args ...string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	prepare(cmd, account)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

// startServer starts a server, and waits until it is ready. The server ends with
// the test.
func startServer(t testing.TB, account *user.User, ready func() bool, program string, args ...string) {
	t.Helper()
	var out strings.Builder
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) } // with its own processes
	cmd.WaitDelay = 10 * time.Second
	prepare(cmd, account)
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cancel()
		<-ended //nolint:errcheck // it was told to end
	})
	for range 600 {
		if ready() {
			return
		}
		select {
		case err := <-ended:
			ended <- nil
			t.Fatalf("%s ended: %v\n%s", program, err, out.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	cancel()
	err := <-ended
	ended <- nil
	t.Fatal(fmt.Errorf("%s does not listen: %w\n%s", program, err, out.String()))
}
