package main

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/bus"
	"github.com/job-streamer/job-streamer-control-bus/bus/bustest"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

// fillDisk creates a file that uses all free space.
func fillDisk(t *testing.T, file string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 1<<20); ; {
		if _, err := f.Write(chunk); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func httpGet(t *testing.T, url string) (status int, body string) {
	t.Helper()
	res, err := http.Get(url) //nolint:noctx // the answer or the end of the test ends it
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func waitUntil(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// The disk of a bus and an agent becomes full while a job runs, and is emptied
// later: both report the reason why work stops, and then continue.
func TestFullDiskWhileRunning(t *testing.T) {
	t.Parallel()
	disk := bustest.SmallDisk(t, "64m")
	d := startDev(t, filepath.Join(disk, "data"), "--sync", "always")
	ctx := t.Context()
	d.putJob(t, "hello", helloJob)
	d.putJob(t, "nap", `{"id": "nap", "steps": [{"id": "s", "batchlet": {"ref": "jobstreamer.Sleep", "properties": {"time": "1s"}}}]}`)
	nap, err := d.Submit(ctx, "default", "nap", client.Submission{})
	if err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "it has begun", func() bool {
		e, err := d.Execution(ctx, "default", "nap", nap.ExecutionID)
		return err == nil && e.BatchStatus == subjects.Started
	})
	other := filepath.Join(disk, "other")
	fillDisk(t, other)

	waitUntil(t, "health is 503", func() bool { status, _ := httpGet(t, d.rest+"/healthcheck"); return status == 503 })
	if _, body := httpGet(t, d.rest+"/healthcheck"); !strings.Contains(body, `"no_room"`) || !strings.Contains(body, "JetStream has no space left: it stores") {
		t.Errorf("health says %s", body)
	}
	start := time.Now()
	for range 5 {
		if _, err := d.Submit(ctx, "default", "hello", client.Submission{}); client.Code(err) != "no_room" {
			t.Errorf("a POST = %v, want no_room", err)
		}
	}
	putNew := func() error {
		_, _, err := d.PutJob(ctx, "default", "new", []byte(strings.ReplaceAll(helloJob, "hello", "new")), client.Condition{})
		return err
	}
	if err := putNew(); client.Code(err) != "no_room" {
		t.Errorf("a new job = %v, want no_room", err)
	}
	if took := time.Since(start); took > 5*bus.AckTimeout { // each has waited for an answer
		t.Errorf("6 refusals took %v", took)
	}
	// Soon the rows of the refused requests wait, and the audit refuses changes.
	waitUntil(t, "the audit refuses a change", func() bool {
		err := putNew()
		if client.Code(err) != "no_room" {
			t.Errorf("a new job = %v, want no_room", err)
		}
		return strings.Contains(err.Error(), "the audit cannot be written")
	})
	if _, _, err := d.Job(ctx, "default", "hello"); err != nil {
		t.Errorf("existing data cannot be read: %v", err)
	}
	o := runCaptured(ctx, testEnv, "doctor", "--nats-url", d.nats, "--data", d.data)
	t.Log("\n" + o.out)
	if o.code != exitError || !strings.Contains(o.out, "FAIL   disk") || !strings.Contains(o.out, "is full: 0 B") || !strings.Contains(o.out, "1 problem found") {
		t.Errorf("the doctor says\n%s%s", o.out, o.err)
	}

	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "health is 200", func() bool { status, _ := httpGet(t, d.rest+"/healthcheck"); return status == 200 })
	waitUntil(t, "the nap is recorded", func() bool {
		e, err := d.Execution(ctx, "default", "nap", nap.ExecutionID)
		return err == nil && e.BatchStatus == subjects.Completed
	})
	e, err := d.Submit(ctx, "default", "hello", client.Submission{Wait: 20 * time.Second})
	if err != nil || e.BatchStatus != subjects.Completed {
		t.Errorf("afterwards: %+v, %v", e, err)
	}
	page, err := d.Executions(ctx, "default", "hello", client.Page{})
	if err != nil || page.Hits != 1 {
		t.Errorf("%+v, %v: want only the execution that was not refused", page, err)
	}
	if o := runCaptured(ctx, testEnv, "doctor", "--nats-url", d.nats, "--data", d.data); o.code != exitOK {
		t.Errorf("the doctor says\n%s%s", o.out, o.err)
	}
}
