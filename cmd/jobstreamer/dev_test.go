package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	ps "github.com/shirou/gopsutil/v4/process"

	"github.com/job-streamer/job-streamer-control-bus/cmd/jobstreamer/cli"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// devBus is a `jobstreamer dev` in this process.
type devBus struct {
	*client.Client
	rest, nats, data string
	stop             context.CancelFunc
	ended            chan outcome
}

// startDev starts a devBus on free ports and waits until it is ready. It ends
// at the latest with the test.
func startDev(t *testing.T, data string, args ...string) *devBus {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	out, in := io.Pipe()
	d := &devBus{data: data, stop: stop, ended: make(chan outcome, 1)}
	args = append([]string{"dev", "--data", data, "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0", "--sync", "interval"}, args...)
	var errs lockedBuffer
	go func() {
		code := runCommand(ctx, args, streams{strings.NewReader(""), in, &errs}, testEnv)
		in.Close()
		d.ended <- outcome{code: code, err: errs.String()}
	}()
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Press Ctrl-C") {
		f := strings.Fields(lines.Text())
		switch {
		case len(f) == 3 && f[0] == "REST":
			d.rest = f[2]
		case len(f) == 2 && f[0] == "NATS":
			d.nats = f[1]
		}
	}
	go io.Copy(io.Discard, out) //nolint:errcheck // ends with the bus
	if d.rest == "" || d.nats == "" {
		t.Fatalf("dev did not start: %s", (<-d.ended).err)
	}
	var err error
	if d.Client, err = client.New(client.Config{URL: d.rest}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.endProcess(t) })
	return d
}

// endProcess ends the bus like Ctrl-C.
func (d *devBus) endProcess(t *testing.T) {
	t.Helper()
	d.Close()
	d.stop()
	select {
	case o := <-d.ended:
		d.ended <- o
		if o.code != exitOK {
			t.Errorf("dev ended with %d: %s", o.code, o.err)
		}
	case <-time.After(40 * time.Second):
		t.Fatal("dev did not end")
	}
}

const helloJob = `{"id": "hello", "steps": [{"id": "greet", "batchlet": {"ref": "jobstreamer.Say", "properties": {"message": "hello"}}}]}`

func (d *devBus) putJob(t *testing.T, job, definition string) {
	t.Helper()
	if _, _, err := d.PutApp(t.Context(), rest.App{Name: "default"}, client.Condition{}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.PutJob(t.Context(), "default", job, []byte(definition), client.Condition{}); err != nil {
		t.Fatal(err)
	}
}

func TestDevGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	d := startDev(t, data)
	d.putJob(t, "hello", helloJob)
	first, err := d.Submit(t.Context(), "default", "hello", client.Submission{Wait: 20 * time.Second})
	if err != nil || first.BatchStatus != subjects.Completed {
		t.Fatalf("first execution: %+v, %v", first, err)
	}
	d.endProcess(t)

	d = startDev(t, data)
	again, err := d.Execution(t.Context(), "default", "hello", first.ExecutionID)
	if err != nil || again.BatchStatus != subjects.Completed {
		t.Fatalf("after the restart: %+v, %v", again, err)
	}
	second, err := d.Submit(t.Context(), "default", "hello", client.Submission{Wait: 20 * time.Second})
	if err != nil || second.BatchStatus != subjects.Completed || second.ExecutionID <= first.ExecutionID {
		t.Fatalf("second execution: %+v, %v", second, err)
	}
}

func TestDemoLeavesTheApplicationAsItIs(t *testing.T) {
	data := t.TempDir()
	d := startDev(t, data)
	mine := rest.App{Name: "default", Description: "mine"}
	if _, _, err := d.PutApp(t.Context(), mine, client.Condition{}); err != nil {
		t.Fatal(err)
	}
	d.endProcess(t)
	d = startDev(t, data, "--demo")
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, _, err := d.Job(t.Context(), "default", demoJobs[len(demoJobs)-1].name); err == nil {
			break
		} else if time.Now().After(end) {
			t.Fatalf("the demo has made no jobs: %v", err)
		}
	}
	if a, _, err := d.App(t.Context(), "default"); err != nil || a.Description != "mine" {
		t.Errorf("after the demo: %+v, %v, want the description kept", a, err)
	}
}

func TestCtrlCLetsARunningJobEnd(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	d := startDev(t, data)
	d.putJob(t, "slow", `{"id": "slow", "steps": [{"id": "wait", "batchlet": {"ref": "jobstreamer.Sleep", "properties": {"time": "1s"}}}]}`)
	e, err := d.Submit(t.Context(), "default", "slow", client.Submission{})
	if err != nil {
		t.Fatal(err)
	}
	for e.BatchStatus != subjects.Started {
		time.Sleep(10 * time.Millisecond)
		if e, err = d.Execution(t.Context(), "default", "slow", e.ExecutionID); err != nil {
			t.Fatal(err)
		}
	}
	d.endProcess(t)

	d = startDev(t, data)
	if e, err = d.Await(t.Context(), "default", "slow", e.ExecutionID, time.Minute); err != nil || e.BatchStatus != subjects.Completed {
		t.Fatalf("%+v, %v; want it completed", e, err)
	}
}

func TestASecondCtrlCEndsAtOnce(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent Ctrl-C there")
	}
	p := startChild(t, "dev", "--drain", "1m", "--sync", "interval", "--data", t.TempDir(), "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0")
	c, err := client.New(client.Config{URL: p.rest})
	failOnError(t, err)
	defer c.Close()
	d := &devBus{Client: c}
	evidence := filepath.Join(t.TempDir(), "pid")
	d.putJob(t, "slow", fmt.Sprintf(`{"id": "slow", "steps": [{"id": "wait", "batchlet": {"ref": "org.jobstreamer.batch.ShellBatchlet", "properties": {
		"command": "sleep 60 & echo $! > %[1]s.new; mv %[1]s.new %[1]s; wait"}}}]}`, evidence))
	_, err = c.Submit(t.Context(), "default", "slow", client.Submission{})
	failOnError(t, err)
	var child []byte
	for len(child) == 0 {
		time.Sleep(10 * time.Millisecond)
		child, _ = os.ReadFile(evidence) // the file does not exist at first
	}
	ended := make(chan error, 1)
	go func() { ended <- p.Wait() }()
	failOnError(t, p.Process.Signal(os.Interrupt))
	select {
	case err := <-ended:
		t.Fatalf("it did not wait for the job: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	failOnError(t, p.Process.Signal(os.Interrupt))
	select {
	case <-ended: //nolint:errcheck // its exit status does not matter
	case <-time.After(10 * time.Second):
		t.Error("it did not end")
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(child)))
	failOnError(t, err)
	for end := time.Now().Add(10 * time.Second); isProcessAlive(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the job's child goes on")
		}
	}
}

func isProcessAlive(pid int) bool {
	p, err := ps.NewProcess(int32(pid))
	if err != nil {
		return false
	}
	status, err := p.Status()
	return err == nil && !slices.Contains(status, ps.Zombie)
}

func failOnError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestDevAsAProcess(t *testing.T) {
	t.Parallel()
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	start := time.Now()
	p := startChild(t, "dev", "--data", t.TempDir(), "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0")
	took := time.Since(start)
	c, err := client.New(client.Config{URL: p.rest})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d := &devBus{Client: c}
	d.putJob(t, "hello", helloJob)
	e, err := c.Submit(t.Context(), "default", "hello", client.Submission{Wait: 20 * time.Second})
	if err != nil || e.BatchStatus != subjects.Completed {
		t.Fatalf("%+v, %v", e, err)
	}
	t.Logf("up after %v, first execution ended after %v", took, time.Since(start))
	status, err := os.ReadFile("/proc/" + p.processID() + "/status")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", regexp.MustCompile(`VmRSS.*`).Find(status))
}

// child is the program in a process of its own.
type child struct {
	*exec.Cmd
	rest string
	err  *lockedBuffer
}

func (c *child) processID() string { return strconv.Itoa(c.Process.Pid) }

// startChild starts the program in a process of its own and waits until it is
// ready.
func startChild(t *testing.T, args ...string) *child {
	t.Helper()
	c := childCommand(t, args...)
	c.startUp(t)
	return c
}

// startUp starts the program and waits until it is ready.
func (c *child) startUp(t *testing.T) {
	t.Helper()
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait() // it was killed
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Press Ctrl-C") {
		if f := strings.Fields(lines.Text()); len(f) == 3 && f[0] == "REST" {
			c.rest = f[2]
		}
	}
	if c.rest == "" {
		t.Fatalf("it did not start: %s", c.err)
	}
	go io.Copy(io.Discard, out) //nolint:errcheck // ends with the process
}

func childCommand(t *testing.T, args ...string) *child {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{Cmd: exec.Command(self, args...), err: &lockedBuffer{}}
	c.Env = append(os.Environ(), asProgram+"=1")
	c.Stderr = c.err
	return c
}

func TestASecondProcessIsRefused(t *testing.T) {
	data := t.TempDir()
	d := startDev(t, data)
	refused := func(t *testing.T, want string, args ...string) {
		t.Helper()
		c := childCommand(t, args...)
		if err := c.Run(); err == nil || !strings.Contains(c.err.String(), want) {
			t.Errorf("%v: %v: %s; want %s", args, err, c.err, want)
		}
	}
	t.Run("on the same data", func(t *testing.T) {
		refused(t, "or choose another directory with --data DIR", "dev", "--data", data, "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0")
		refused(t, "--data "+data+": in use", "serve", "--data", data, "--http", "127.0.0.1:0", "--nats", "127.0.0.1:0")
	})
	t.Run("on the port of the API", func(t *testing.T) {
		refused(t, "choose another port with --http HOST:PORT", "dev", "--data", t.TempDir(), "--http", strings.TrimPrefix(d.rest, "http://"), "--nats", "127.0.0.1:0")
	})
	t.Run("on the port of NATS", func(t *testing.T) {
		refused(t, "choose another port with --nats HOST:PORT", "dev", "--data", t.TempDir(), "--http", "127.0.0.1:0", "--nats", strings.TrimPrefix(d.nats, "nats://"))
	})
}

// serve and agent as in production: two processes with one NATS that requires a
// password.
func TestServeAndAgent(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	restAddr, natsAddr := freeAddress(t), freeAddress(t)
	env := append(testEnv, "JOBSTREAMER_NATS_USER=me")
	passwordFile := filepath.Join(t.TempDir(), "password")
	failOnError(t, os.WriteFile(passwordFile, []byte("secret\n"), 0o600))
	ended := make(chan outcome, 2)
	go func() {
		ended <- runCaptured(ctx, append(env, "JOBSTREAMER_NATS_PASSWORD=secret"), "serve", "--data", t.TempDir(), "--http", restAddr, "--nats", natsAddr, "--sync", "interval")
	}()
	go func() {
		ended <- runCaptured(ctx, env, "agent", "--nats-url", "nats://"+natsAddr, "--nats-password-file", passwordFile, "--name", "a1", "--apps", "default,billing", "--pools", "default,linux", "--slots", "2", "--data", t.TempDir())
	}()
	c, err := client.New(client.Config{URL: "http://" + restAddr})
	if err != nil {
		t.Fatal(err)
	}
	d := &devBus{Client: c}
	for deadline := time.Now().Add(20 * time.Second); c.Healthy(t.Context()) != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("serve did not start")
		}
	}
	d.putJob(t, "hello", helloJob)
	e, err := c.Submit(t.Context(), "default", "hello", client.Submission{Wait: 20 * time.Second})
	if err != nil || e.BatchStatus != subjects.Completed || e.Agent == nil || e.Agent.Name != "a1" {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := nats.Connect("nats://" + natsAddr); err == nil {
		t.Error("NATS accepted a client without a password")
	}
	c.Close()
	stop()
	for range 2 {
		o := <-ended
		if o.code != exitOK || strings.Contains(o.err, "secret") {
			t.Errorf("exit code %d: %s", o.code, o.err)
		}
	}
}

// freeAddress returns an address with a port that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }() // there was no connection
	return l.Addr().String()
}

func TestBench(t *testing.T) {
	t.Parallel()
	d := startDev(t, t.TempDir())
	o := runCaptured(t.Context(), testEnv, "bench", "--url", d.rest, "--executions", "500", "--concurrency", "8", "--rate", "50", "--time", "1s", "-o", "json")
	var r struct {
		PerSecond float64 `json:"executions_per_second"`
		P50       float64 `json:"p50_ms"`
		P99       float64 `json:"p99_ms"`
		Failed    int     `json:"failed"`
		Saturated struct{ Executions int }
		AtRate    struct{ Executions int } `json:"at_rate"`
	}
	if err := json.Unmarshal([]byte(o.out), &r); o.code != exitOK || err != nil {
		t.Fatalf("exit code %d, %v: %s%s", o.code, err, o.out, o.err)
	}
	if r.PerSecond <= 0 || r.P50 <= 0 || r.P99 < r.P50 || r.Failed != 0 || r.Saturated.Executions != 500 || r.AtRate.Executions != 50 {
		t.Errorf("%s", o.out)
	}
	if _, _, err := d.Job(t.Context(), "default", benchJob); client.Code(err) == "" {
		t.Errorf("the job is still there: %v", err)
	}
}

// Ctrl-C ends a measurement without an agent, and the measurement removes its
// job.
func TestBenchEndsAtOnce(t *testing.T) {
	t.Parallel()
	d := startDev(t, t.TempDir(), "--pools", "other")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan outcome, 1)
	go func() {
		ended <- runCaptured(ctx, testEnv, "bench", "--url", d.rest, "--executions", "100", "--rate", "0")
	}()
	waitUntil(t, "an execution waits", func() bool {
		l, err := d.Executions(t.Context(), "default", benchJob, client.Page{})
		return err == nil && len(l.Results) > 0
	})
	cancel()
	if o := <-ended; o.code != exitOK {
		t.Errorf("exit code %d: %s%s", o.code, o.out, o.err)
	}
	if _, _, err := d.Job(t.Context(), "default", benchJob); client.Code(err) == "" {
		t.Errorf("the job is still there: %v", err)
	}
}

func TestDoctorEndsAtOnce(t *testing.T) {
	data := t.TempDir()
	d := startDev(t, data)
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	o := runCaptured(ctx, testEnv, "doctor", "--nats-url", d.nats, "--data", data, "--listen", "10m")
	if o.code != cli.ExitInterrupted || !strings.Contains(o.err, "interrupted before all checks had run") {
		t.Errorf("exit code %d: %s%s", o.code, o.out, o.err)
	}
}
