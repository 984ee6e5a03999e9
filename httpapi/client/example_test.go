package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/job-streamer/job-streamer-control-bus/httpapi/client"
	"github.com/job-streamer/job-streamer-control-bus/httpapi/rest"
	"github.com/job-streamer/job-streamer-control-bus/subjects"
)

const nightly = `
id: nightly
steps:
  - id: load
    command: ./load.sh
`

// Define a job, run it and wait for its end.
func Example() {
	ctx, c, stop := exampleBus()
	defer stop()

	job, _, err := c.ApplyJob(ctx, "default", "nightly", "application/yaml", []byte(nightly), client.Condition{})
	if err != nil {
		log.Fatal(err)
	}
	e, err := c.Submit(ctx, "default", job.Name, client.Submission{
		Parameters: map[string]string{"date": "2026-11-24"},
		Wait:       time.Minute,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(e.Job, "on", e.Agent.Name, "is", e.BatchStatus, "with exit status", *e.ExitStatus)
	// Output: nightly on a1 is completed with exit status COMPLETED
}

// Ask what a definition would change before it is written.
func ExampleClient_PreviewJob() {
	ctx, c, stop := exampleBus()
	defer stop()

	before, _, err := c.PreviewJob(ctx, "default", "application/yaml", []byte(nightly))
	if err != nil {
		log.Fatal(err)
	}
	if _, _, err := c.ApplyJob(ctx, "default", "", "application/yaml", []byte(nightly), client.Condition{}); err != nil {
		log.Fatal(err)
	}
	after, _, err := c.PreviewJob(ctx, "default", "application/yaml", []byte(nightly+"exclusive: true\n"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(before.Result, "then", after.Result)
	// Output: created then changed
}

// Schedule a job, and pause the schedule.
func ExampleClient_PutSchedule() {
	ctx, c, stop := exampleBus()
	defer stop()

	if _, _, err := c.ApplyJob(ctx, "default", "", "application/yaml", []byte(nightly), client.Condition{}); err != nil {
		log.Fatal(err)
	}
	s, err := c.PutSchedule(ctx, "default", "nightly", "", rest.NewSchedule{CronNotation: "0 0 3 ? * MON-FRI", TimeZone: "Asia/Tokyo"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(s.CronNotation, *s.TimeZone, "active:", s.Active)
	if s, err = c.PauseSchedule(ctx, "default", "nightly", "", "maintenance"); err != nil {
		log.Fatal(err)
	}
	fmt.Println("active:", s.Active)
	// Output:
	// 0 0 3 ? * MON-FRI Asia/Tokyo active: true
	// active: false
}

// See when a schedule would fire, here over the change to winter time: 02:30
// exists twice that day, and the job fires once.
func ExampleClient_Preview() {
	ctx, c, stop := exampleBus()
	defer stop()

	preview, err := c.Preview(ctx, rest.NewPreview{NewSchedule: rest.NewSchedule{CronNotation: "0 30 2 * * ?", TimeZone: "Europe/Berlin"}, From: "2026-10-24T00:00:00Z", Count: 3})
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range preview.Fires {
		fmt.Println(f.Local)
	}
	// Output:
	// 2026-10-24T02:30:00+02:00
	// 2026-10-25T02:30:00+02:00
	// 2026-10-26T02:30:00+01:00
}

// Read what a job wrote.
func ExampleClient_LogLines() {
	ctx, c, stop := exampleBus()
	defer stop()
	e := exampleRun(ctx, c, "2026-11-24")

	lines, err := c.LogLines(ctx, "default", "nightly", e.ExecutionID)
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range lines.Results {
		fmt.Println(l.Stream, l.Level, l.Message)
	}
	// Output: stdout info hello
}

// Show the output of a job as it comes, until its execution has ended.
func ExampleClient_FollowLog() {
	ctx, c, stop := exampleBus()
	defer stop()
	e := exampleRun(ctx, c, "2026-11-24")

	end, err := c.FollowLog(ctx, "default", "nightly", e.ExecutionID, func(l rest.LogLine) error {
		fmt.Println(l.Message)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ended as", end.BatchStatus)
	// Output:
	// hello
	// ended as completed
}

// Find executions by status, job and parameter.
func ExampleClient_FindExecutions() {
	ctx, c, stop := exampleBus()
	defer stop()
	for _, date := range []string{"2026-11-22", "2026-11-23", "2026-11-24"} {
		exampleRun(ctx, c, date)
	}

	completed, err := c.FindExecutions(ctx, client.ExecutionFilter{
		App: "default", Job: "night*", Status: []subjects.BatchStatus{subjects.Completed},
	})
	if err != nil {
		log.Fatal(err)
	}
	ofThatDay, err := c.FindExecutions(ctx, client.ExecutionFilter{
		App: "default", Parameters: map[string]string{"date": "2026-11-23"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(completed.Hits, "completed,", ofThatDay.Hits, "of November 23")
	// Output: 3 completed, 1 of November 23
}

// Programs go by the code of an error, which stays the same over versions.
func ExampleCode() {
	ctx, c, stop := exampleBus()
	defer stop()

	_, err := c.Submit(ctx, "default", "weekly", client.Submission{})
	if client.Code(err) == "no_such_job" {
		fmt.Println("create the job first")
	}
	// Output: create the job first
}

// A problem names every fault of what was sent, with its place.
func ExampleProblem() {
	ctx, c, stop := exampleBus()
	defer stop()

	_, _, err := c.ApplyJob(ctx, "default", "", "application/yaml", []byte("id: nightly\nsteps:\n  - id: load\n    comand: ./load.sh\n"), client.Condition{})
	var p *client.Problem
	if errors.As(err, &p) {
		fmt.Println(p.Status, p.Code)
		for _, f := range p.Errors {
			fmt.Printf("line %d: %s, got %s\n", f.Line, f.Pointer, f.Got)
		}
	}
	// Output:
	// 422 invalid_job
	// line 4: /steps/0/comand, got "comand"
}

// exampleBus starts a control bus, and an agent that completes every execution
// at once. A program would begin with
//
//	c, err := client.New(client.Config{URL: "http://localhost:45102"})
func exampleBus() (ctx context.Context, c *client.Client, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	t := &exampleTest{ctx: ctx}
	c, b := start(t)
	if _, _, err := c.PutApp(ctx, rest.App{Name: "default"}, client.Condition{}); err != nil {
		log.Fatal(err)
	}
	var agent sync.WaitGroup
	agent.Go(func() {
		for done := map[int64]bool{}; ctx.Err() == nil; time.Sleep(5 * time.Millisecond) {
			waiting, _ := c.FindExecutions(ctx, client.ExecutionFilter{Status: []subjects.BatchStatus{subjects.Undispatched, subjects.Queued}})
			for i := range waiting.Results {
				if e := &waiting.Results[i]; !done[e.ExecutionID] {
					done[e.ExecutionID] = true
					run(t, b, &rest.Execution{ExecutionSummary: e.ExecutionSummary})
				}
			}
		}
	})
	return ctx, c, func() {
		cancel()
		agent.Wait()
		t.end()
	}
}

// exampleRun creates the job nightly and runs it.
func exampleRun(ctx context.Context, c *client.Client, date string) *rest.Execution {
	_, _, err := c.ApplyJob(ctx, "default", "", "application/yaml", []byte(nightly), client.Condition{})
	if err == nil {
		var e *rest.Execution
		if e, err = c.Submit(ctx, "default", "nightly", client.Submission{Parameters: map[string]string{"date": date}, Wait: time.Minute}); err == nil {
			return e
		}
	}
	log.Fatal(err)
	return nil
}

// exampleTest is what the helpers of tests need of a test.
type exampleTest struct {
	testing.TB
	ctx     context.Context
	cleanup []func()
}

func (t *exampleTest) Helper()                   {}
func (t *exampleTest) Context() context.Context  { return t.ctx }
func (t *exampleTest) Cleanup(f func())          { t.cleanup = append(t.cleanup, f) }
func (t *exampleTest) Error(args ...any)         { log.Print(args...) }
func (t *exampleTest) Fatal(args ...any)         { log.Fatal(args...) }
func (t *exampleTest) Errorf(f string, v ...any) { log.Printf(f, v...) }

func (t *exampleTest) TempDir() string {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// end runs the cleanups, the last one first.
func (t *exampleTest) end() {
	for i := len(t.cleanup); i > 0; i-- {
		t.cleanup[i-1]()
	}
}
