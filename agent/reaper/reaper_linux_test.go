package reaper_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/agent/reaper"
)

// programEnv is an environment variable. If it is set, the test binary is the
// program that process 1 runs, and does what the value says.
const programEnv = "JOBSTREAMER_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if what := os.Getenv(programEnv); what != "" {
		reaper.Main()
		os.Exit(runProgram(what))
	}
	os.Exit(m.Run())
}

func runProgram(what string) int {
	if what == "wait" {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGTERM)
		fmt.Println("ready")
		<-signals
		fmt.Println("got SIGTERM")
		return 9
	}
	// Start orphans. Meanwhile, os/exec must get the statuses of other processes.
	for range 20 {
		_ = exec.Command("/bin/sh", "-c", "(sleep 0.02 &) ; (sleep 0.05 & exec true) &").Run()
		if err := exec.Command("/bin/sh", "-c", "exit 7").Run(); err == nil || err.Error() != "exit status 7" {
			fmt.Println("wrong status:", err)
		}
	}
	end := time.Now().Add(10 * time.Second)
	for n := countZombies(); ; n = countZombies() {
		if n == 0 || time.Now().After(end) {
			fmt.Println("process", os.Getpid() > 1, "of", os.Getppid(), "zombies", n)
			return 5
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// countZombies counts the processes named sleep. After all of them have ended,
// only those that process 1 has not reaped are left.
func countZombies() int {
	n := 0
	all, _ := os.ReadDir("/proc")
	for _, e := range all {
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err == nil && strings.Contains(string(stat), "(sleep)") {
			n++
		}
	}
	return n
}

// commandAsProcess1 returns a command that runs the test program as process 1
// of a new namespace.
func commandAsProcess1(t *testing.T, what string) *exec.Cmd {
	t.Helper()
	if out, err := exec.Command("unshare", "--pid", "--fork", "--mount-proc", "true").CombinedOutput(); err != nil {
		t.Skipf("this system makes no PID namespace: %v %s", err, out)
	}
	cmd := exec.Command("unshare", "--pid", "--fork", "--kill-child", "--mount-proc", os.Args[0])
	cmd.Env = append(os.Environ(), programEnv+"="+what)
	return cmd
}

func TestProcess1Reaps(t *testing.T) {
	out, err := commandAsProcess1(t, "orphans").CombinedOutput()
	if got, want := string(out), "process true of 1 zombies 0\n"; got != want {
		t.Errorf("the program says %q, want %q", got, want)
	}
	if err == nil || err.Error() != "exit status 5" {
		t.Errorf("process 1 ended with %v, want the program's exit status 5", err)
	}
}

func TestProcess1PassesSignalsOn(t *testing.T) {
	cmd := commandAsProcess1(t, "wait")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var line string
	if _, err := fmt.Fscanln(stdout, &line); err != nil || line != "ready" {
		t.Fatalf("the program says %q: %v", line, err)
	}
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid))
	var one int
	if _, err := fmt.Sscan(string(children), &one); err != nil {
		t.Skipf("this system lists no children: %v", err)
	}
	if err := syscall.Kill(one, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rest := make([]byte, 100)
	n, _ := stdout.Read(rest)
	if err := cmd.Wait(); string(rest[:n]) != "got SIGTERM\n" || err == nil || err.Error() != "exit status 9" {
		t.Errorf("the program says %q and ends with %v", rest[:n], err)
	}
}
